"""Videos scene by scene: the question, the clock of the times, and scenes without repeats or overlaps."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.descriptions.question import MAX_SCENES, Description, Scene, Scenes, question
from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.task import Progress, Question

TIMES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.floats(0, 200),
    st.floats(0, 200).map(str),
    st.sampled_from(["00:10.0", "01:05", "1:00:00", "75:30", "-3", "soon", "", "9" * 40]),
    st.lists(st.integers(), max_size=2),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries({}, optional={"start": TIMES, "end": TIMES, "description": st.text(max_size=9) | VALUES})
ANSWERS = VALUES | st.lists(ITEMS | VALUES) | st.fixed_dictionaries({"scenes": st.lists(ITEMS | VALUES) | VALUES})
LIMITS = st.none() | st.floats(0, 300)


def asked(start: float | None = None, end: float | None = None, **more: str) -> Question:
    return question(start=start, end=end, prompt=more.get("prompt"), language=more.get("language"))


def accumulator(duration: float | None = 60.0, start: float | None = None, end: float | None = None) -> Scenes:
    return Scenes(duration=duration, start=start, end=end)


def answer(*scenes: tuple[object, object, str]) -> str:
    return json.dumps({"scenes": [{"start": start, "end": end, "description": text} for start, end, text in scenes]})


def told(*scenes: tuple[object, object, str], **limits: float | None) -> Description:
    gathered = accumulator(**limits)
    gathered.take(answer(*scenes))
    return gathered.result()


def times(description: Description) -> list[tuple[float, float]]:
    return [(scene.start, scene.end) for scene in description.scenes]


def codes(description: Description) -> list[str]:
    return [warning.code for warning in description.warnings]


# What is asked


def test_the_answer_is_a_list_of_scenes_with_times_as_text() -> None:
    schema: Any = asked().schema

    assert schema["required"] == ["scenes"]
    item = schema["properties"]["scenes"]["items"]
    assert item["required"] == ["start", "end", "description"]
    assert {name: one["type"] for name, one in item["properties"].items()} == {
        "start": "string",
        "end": "string",
        "description": "string",
    }


@pytest.mark.parametrize(
    ("start", "end", "passage"),
    [
        (65.0, 120.0, "only the passage from 01:05.0 to 02:00.0 of the whole video"),
        (3_600.5, None, "only the passage from 1:00:00.5 to the end of the whole video"),
        (None, 7.0, "only the passage from 00:00.0 to 00:07.0 of the whole video"),
    ],
)
def test_the_instruction_names_the_passage_on_the_clock_of_the_whole_video(
    start: float | None, end: float | None, passage: str
) -> None:
    instruction = asked(start, end).instruction

    assert passage in instruction
    assert "count from the start of the whole video" in instruction
    assert "only the passage" not in asked().instruction


def test_the_instruction_has_the_language_and_the_clients_prompt() -> None:
    instruction = asked(language="Welsh", prompt="Name the birds.").instruction

    assert "Write the descriptions in this language: Welsh.\nAdditional instructions: Name the birds." in instruction
    assert "language" not in asked().instruction
    assert "Additional instructions" not in asked().instruction


# Scenes of one answer


def test_scenes_come_with_their_times_in_seconds() -> None:
    gathered = accumulator()

    taken = gathered.take(answer(("00:00.0", "00:12.5", "A red scene."), ("00:12.5", "01:00.0", "A blue scene.")))

    assert taken == Progress(is_whole=True, has_new=True)
    assert gathered.result() == Description((Scene(0, 12.5, "A red scene."), Scene(12.5, 60, "A blue scene.")), ())


def test_scenes_are_put_in_order_of_time() -> None:
    assert times(told((20, 30, "b"), (0, 20, "a"))) == [(0, 20), (20, 30)]


def test_overlapping_scenes_end_at_the_start_of_the_next_scene() -> None:
    assert times(told((0, 22, "a"), (20, 30, "b"), (29.5, 40, "c"))) == [(0, 20), (20, 29.5), (29.5, 40)]


def test_scenes_with_the_same_start_follow_each_other() -> None:
    assert times(told((0, 5, "a"), (0, 8, "b"), (3, 9, "c"))) == [(0, 5), (5, 8), (8, 9)]


def test_a_repeated_scene_is_kept_once() -> None:
    assert times(told((0, 5, "a"), (0, 5, "a"), (5, 8, "a"))) == [(0, 5), (5, 8)]


@pytest.mark.parametrize("end", [None, "", "soon", -1, True, [3], "00:05.0"])
def test_a_scene_without_an_end_ends_at_the_next_scene_or_the_end_of_the_video(end: object) -> None:
    description = told((10, end, "a"), (20, 25, "b"), (30, end, "c"), duration=40.0)

    assert times(description) == [(10, 20), (20, 25), (30, 40)]
    assert codes(description) == ["times-estimated"]
    assert description.warnings[0].detail.endswith("start or end: 2.")


def test_without_any_limit_the_last_scene_without_an_end_has_no_length() -> None:
    assert times(told((10, None, "a"), (20, None, "b"), duration=None)) == [(10, 20), (20, 20)]


def test_a_scene_without_a_start_begins_at_the_end_of_the_scene_before() -> None:
    description = told((None, 5, "a"), (None, 9, "b"), (None, None, "c"), (30, 40, "d"))

    assert times(description) == [(0, 5), (5, 9), (9, 30), (30, 40)]
    assert codes(description) == ["times-estimated"]


def test_a_scene_without_times_is_kept_after_the_last_scene() -> None:
    assert told((0, 60, "a"), ("x", "y", "b")).scenes[-1] == Scene(60, 60, "b")


def test_times_are_kept_within_the_video() -> None:
    description = told((0, 30, "a"), (30, 61.2, "b"))

    assert times(description) == [(0, 30), (30, 60)]
    assert codes(description) == []


def test_times_are_kept_within_the_passage() -> None:
    assert times(told((25, 35, "a"), (35, 55, "b"), start=30, end=50)) == [(30, 35), (35, 50)]


def test_scenes_outside_the_passage_are_left_out_with_a_warning() -> None:
    description = told((21, 30, "a"), (30, 50, "b"), (50, 55, "c"), (70, 75, "d"), start=30, end=50)

    assert times(description) == [(30, 50)]
    assert codes(description) == ["scenes-outside"]
    assert description.warnings[0].detail == "Scenes left out because they lie outside 00:30.0 to 00:50.0: 3."


def test_a_passage_without_an_end_goes_to_the_end_of_the_video() -> None:
    assert times(told((45, 50, "a"), (50, 99, "b"), start=45)) == [(45, 50), (50, 60)]


@pytest.mark.parametrize("text", ["", " \n ", "\u0000", None, 3, ["a"], {"a": 1}])
def test_a_scene_without_a_description_is_dropped(text: Any) -> None:
    assert told((0, 5, text), (5, 9, "b")).scenes == (Scene(5, 9, "b"),)


def test_a_description_is_one_line_without_control_characters() -> None:
    assert told((0, 5, " A\u0000 red\n\n scene.\u001b ")).scenes[0].description == "A red scene."


@pytest.mark.parametrize(
    "text", ['{"answer": 3}', '{"scenes": "none"}', '{"scenes": [{"start": 1}]}', "[1]", "I see nothing."]
)
def test_an_answer_without_scenes_cannot_be_read(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        accumulator().take(text)


@pytest.mark.parametrize("text", ["{}", "[]", '{"scenes": []}', '{"scenes": [{"start": "00', '{"title": "x", "sce'])
def test_an_empty_list_is_an_answer(text: str) -> None:
    gathered = accumulator()

    assert gathered.take(text).has_new is False
    assert gathered.last_items() == ""
    assert gathered.result() == Description((), ())


# Whose clock


def test_times_that_count_from_the_passage_are_moved_onto_the_clock_of_the_video() -> None:
    description = told(("00:00.0", "00:07.5", "a"), ("00:07.5", "00:20.0", "b"), start=30, end=50)

    assert times(description) == [(30, 37.5), (37.5, 50)]
    assert codes(description) == ["times-shifted"]
    assert "00:30.0 was added" in description.warnings[0].detail


def test_of_a_passage_without_an_end_the_video_s_duration_tells_the_length() -> None:
    assert times(told((0, 7, "a"), (7, 15, "b"), start=45)) == [(45, 52), (52, 60)]


def test_without_a_known_length_times_are_moved_only_if_all_lie_before_the_passage() -> None:
    assert times(told((0, 7, "a"), (7, 29, "b"), start=30, duration=None)) == [(30, 37), (37, 59)]
    assert times(told((0, 7, "a"), (7, 40, "b"), start=30, duration=None)) == [(30, 40)]


def test_times_that_begin_a_little_before_the_passage_are_on_the_clock_of_the_video() -> None:
    assert times(told((28, 40, "a"), (40, 45, "b"), duration=200.0, start=30, end=100)) == [(30, 40), (40, 45)]


def test_times_that_do_not_fit_into_the_passage_are_on_the_clock_of_the_video() -> None:
    assert times(told((0, 10, "a"), (40, 45, "b"), start=30, end=50)) == [(40, 45)]


def test_the_clock_is_decided_by_all_answers_together() -> None:
    gathered = accumulator(start=30, end=50)
    gathered.take(answer((0, 5, "a"), (5, 10, "b")))
    assert json.loads(gathered.last_items())["scenes"][-1]["end"] == "00:10.0"
    assert "Continue from 00:10.0" in gathered.continuation().instruction

    gathered.take(answer((10, 15, "c"), (15, 20, "d")))

    assert times(gathered.result()) == [(30, 35), (35, 40), (40, 45), (45, 50)]


# Scenes of several answers


def test_a_cut_answer_continues_after_its_last_whole_scene() -> None:
    gathered = accumulator()
    text = answer((0, 10, "a"), (10, 20.04, "b"), (20.04, 60, "c"))

    assert gathered.take(text[:-5]) == Progress(is_whole=False, has_new=True)
    assert json.loads(gathered.last_items()) == {
        "scenes": [
            {"start": "00:00.0", "end": "00:10.0", "description": "a"},
            {"start": "00:10.0", "end": "00:20.0", "description": "b"},
        ]
    }
    assert "Continue from 00:20.0 with the following scenes" in gathered.continuation().instruction
    assert gathered.continuation().schema == asked().schema

    assert gathered.take(answer((20.0, 60, "c"))) == Progress(is_whole=True, has_new=True)
    assert [scene.description for scene in gathered.result().scenes] == ["a", "b", "c"]


def test_scenes_that_come_again_are_left_out_even_in_other_words() -> None:
    gathered = accumulator()
    gathered.take(answer((0, 10, "a"), (10, 20, "b")))

    assert gathered.take(answer((0, 10, "a"), (9, 20.5, "b, again"))) == Progress(is_whole=True, has_new=False)
    assert gathered.take(answer((10, 20, "b"), (20, 30, "c"))).has_new
    assert times(gathered.result()) == [(0, 10), (10, 20), (20, 30)]


def test_a_repeated_scene_that_continues_is_kept_from_the_known_end() -> None:
    gathered = accumulator()
    gathered.take(answer((0, 10, "a"), (10, 20, "b")))

    gathered.take(answer((15, 40, "c")))

    assert times(gathered.result()) == [(0, 10), (10, 20), (20, 40)]


def test_a_wrong_end_does_not_hide_later_scenes() -> None:
    gathered = accumulator()
    gathered.take(answer((0, 59, "a"), (10, 20, "b")))

    gathered.take(answer((20, 30, "c")))

    assert times(gathered.result()) == [(0, 10), (10, 20), (20, 30)]


@pytest.mark.parametrize("text", ["x" * 100_000, '"\\' * 50_000, "\N{GRINNING FACE}" * 50_000])
def test_the_shown_part_of_long_scenes_is_bounded(text: str) -> None:
    gathered = accumulator()
    gathered.take(answer(*((number, number + 1, f"{number} {text}") for number in range(30))))

    said = gathered.last_items()

    assert len(said.encode()) <= 16_384
    assert [one["start"] for one in json.loads(said)["scenes"]] == [f"00:{number}.0" for number in range(20, 30)]


def test_at_most_10_000_scenes_are_kept() -> None:
    description = told(*((number, number + 1, "a") for number in range(MAX_SCENES + 5)), duration=None)

    assert len(description.scenes) == MAX_SCENES
    assert codes(description) == ["too-many-scenes"]


@given(st.lists(ANSWERS, max_size=4), LIMITS, LIMITS, LIMITS)
def test_any_json_becomes_ordered_scenes_within_limits_or_is_refused(
    answers: list[object], duration: float | None, start: float | None, length: float | None
) -> None:
    end = None if length is None else (start or 0) + length + 0.1
    gathered = accumulator(duration, start, end)
    for one in answers:
        try:
            gathered.take(json.dumps(one))
        except UnreadableAnswerError:
            continue

    scenes = gathered.result().scenes

    first, last = start or 0.0, min(duration or 1e9, end or 1e9)
    for scene in scenes:
        assert scene.description
        assert scene.start <= scene.end
        assert first - 0.001 <= scene.start
        assert scene.end <= max(first, last) + 0.001
    assert all(before.end <= after.start for before, after in pairwise(scenes))
    assert json.loads(gathered.last_items() or "{}") is not None
    assert gathered.continuation().instruction


@given(st.lists(st.integers(1, 200), min_size=2, max_size=20), st.data())
def test_a_description_in_several_answers_equals_a_single_answer(lengths: list[int], data: st.DataObject) -> None:
    bounds = [0.0]
    for length in lengths:
        bounds.append(round(bounds[-1] + length / 10, 1))
    scenes = [(start, end, f"from {start}") for start, end in pairwise(bounds)]
    cut = data.draw(st.integers(1, len(scenes) - 1))
    repeated = data.draw(st.integers(0, cut))

    gathered = accumulator(bounds[-1])
    gathered.take(answer(*scenes[:cut]))
    gathered.take(answer(*scenes[cut - repeated :]))

    assert gathered.result() == told(*scenes, duration=bounds[-1])
