"""Captioning: the question, and the reading of each possible answer of a model."""

import json

import pytest
from hypothesis import given

from app.tasks.captions.question import MAX_TAGS, Caption, question, read
from app.tasks.lenient_json import UnreadableAnswerError
from tests.unit.tasks.answers import answers

WHOLE = {"caption": "A cat sleeps on a chair.", "alt_text": "Cat asleep on a chair", "tags": ["cat", "chair"]}


def test_caption_alternative_text_and_tags_are_asked_for() -> None:
    asked = question("name the breed", "italiano")

    assert asked.schema["required"] == ["caption", "alt_text", "tags"]
    assert "Write caption, alt_text and tags in this language: italiano." in asked.instruction
    assert asked.instruction.endswith("Additional instructions: name the breed")


@pytest.mark.parametrize("value", [WHOLE, [WHOLE]])
def test_a_caption_is_read(value: object) -> None:
    assert read(json.dumps(value)) == Caption(
        "A cat sleeps on a chair.", "Cat asleep on a chair", ("cat", "chair"), is_whole=True
    )


def test_an_empty_answer_gives_an_empty_result() -> None:
    assert read("{}") == Caption(None, None, (), is_whole=True)


def test_the_whole_items_of_a_cut_answer_are_kept() -> None:
    assert read('{"caption": "A cat.", "alt_te') == Caption("A cat.", None, (), is_whole=False)
    assert read('{"tags": ["cat", "ch') == Caption(None, None, ("cat",), is_whole=False)


@pytest.mark.parametrize(
    "text", ["", "A cat.", "[]", "[1]", '{"tags": ["cat"]}', '{"caption": 3}', '{"answer": "a cat"}']
)
def test_an_answer_without_a_caption_cannot_be_understood(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(text)


def test_tags_are_trimmed_and_unique() -> None:
    tags = [" Cat ", "cat", "", 3, None, "big\nchair", ["x"]]

    assert read(json.dumps({**WHOLE, "tags": tags})).tags == ("Cat", "big chair")


def test_tags_may_come_as_one_string() -> None:
    assert read(json.dumps({**WHOLE, "tags": "cat, chair"})).tags == ("cat", "chair")


def test_tags_are_bounded() -> None:
    assert len(read(json.dumps({**WHOLE, "tags": [f"tag {n}" for n in range(500)]})).tags) == MAX_TAGS


@given(answers("tags", ["caption", "alt_text"], ["caption", "alt_text"]))
def test_any_answer_is_a_caption_or_unreadable(text: str) -> None:
    try:
        answer = read(text)
    except UnreadableAnswerError:
        return
    assert all(tag.strip() for tag in answer.tags)
    assert answer.caption != ""
    assert answer.alt_text != ""
