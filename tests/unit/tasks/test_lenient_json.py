"""JSON as models send it: fenced, surrounded by words, or cut off."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.lenient_json import Lenient, UnreadableAnswerError, items_of, read_json

ITEM = {"box_2d": [1, 2, 3, 4], "label": "car"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ITEM]),
        "```json\n" + json.dumps([ITEM], indent=2) + "\n```",
        "```\n" + json.dumps([ITEM]) + "\n```\nI found one car.",
        "Here are [1] objects: " + json.dumps([ITEM]) + " Anything else?",
        "\ufeff  " + json.dumps([ITEM]),
    ],
)
def test_text_around_the_json_is_ignored(text: str) -> None:
    assert read_json(text) == Lenient([ITEM], is_whole=True)


def test_a_fence_inside_a_string_is_left_alone() -> None:
    page = {"pages": [{"page": 1, "markdown": "```python\nx = [1]\n```"}]}

    assert read_json(json.dumps(page)) == Lenient(page, is_whole=True)


@pytest.mark.parametrize("text", ["", "No objects.", "null", "12", '"text"', "``` ```"])
def test_an_answer_without_an_object_or_array_cannot_be_read(text: str) -> None:
    with pytest.raises(UnreadableAnswerError, match="no JSON object or array"):
        read_json(text)


def test_of_a_cut_list_the_whole_items_are_kept() -> None:
    text = json.dumps([ITEM, ITEM])[:-20]

    assert read_json(text) == Lenient([ITEM], is_whole=False)


def test_of_a_cut_object_the_whole_members_are_kept() -> None:
    text = '{"language": "en", "segments": [{"text": "a"}, {"text": "b", "end": "00:1'

    assert read_json(text) == Lenient({"language": "en", "segments": [{"text": "a"}]}, is_whole=False)


def test_a_number_at_the_cut_is_dropped() -> None:
    assert read_json('{"a": 1, "b": 12') == Lenient({"a": 1}, is_whole=False)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000])
def test_infinite_numbers_are_null(number: str) -> None:
    assert read_json(f'{{"a": {number}}}') == Lenient({"a": None}, is_whole=True)


def test_half_a_character_is_replaced() -> None:
    assert read_json('{"a": "\\ud83d"}') == Lenient({"a": "\N{REPLACEMENT CHARACTER}"}, is_whole=True)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[{" * 50_000, '[{"a":[' * 500])
def test_deep_nesting_ends_early(text: str) -> None:
    assert read_json(text).is_whole is False


def test_too_deep_nesting_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswerError, match="more than 64 levels"):
        read_json("[" * 100 + "]" * 100)


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_any_value_can_be_written_again(value: object) -> None:
    read = read_json(json.dumps(value))

    assert orjson.dumps(read.value)


@given(st.lists(st.fixed_dictionaries({"label": st.text()}), min_size=1), st.data())
def test_a_cut_never_invents_an_item(items: list[dict[str, str]], data: st.DataObject) -> None:
    text = json.dumps(items)
    end = data.draw(st.integers(1, len(text) - 1))

    read = read_json(text[:end])

    assert read.is_whole is False
    assert read.value == items[: len(read.value)]  # type: ignore[arg-type]  # a list was sent


def test_an_item_that_was_cut_before_its_end_is_not_the_answer() -> None:
    assert read_json('[{"label": "car"') == Lenient([], is_whole=False)


@given(st.text(alphabet='[]{}",:0n\\ae \n`'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = read_json(text).value
    except UnreadableAnswerError:
        return

    assert isinstance(value, dict | list)


@pytest.mark.parametrize(
    "value",
    [[ITEM], {"objects": [ITEM]}, {"detections": [ITEM]}, ITEM, [ITEM, "car", 3], {"objects": ITEM}],
)
def test_items_are_found_however_they_are_wrapped(value: object) -> None:
    assert items_of(value, "objects") == [ITEM]


@pytest.mark.parametrize("value", [[], {}, {"objects": []}, ["car"]])
def test_there_may_be_no_items(value: object) -> None:
    assert items_of(value, "objects") == []
