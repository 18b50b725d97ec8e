"""Comparison: the question, and the reading of each possible answer of a model."""

import json

import pytest
from hypothesis import given

from app.tasks.boxes import PixelRectangle
from app.tasks.comparisons.question import MAX_DIFFERENCES, Comparison, Difference, question, read
from app.tasks.lenient_json import UnreadableAnswerError
from tests.unit.tasks.answers import answers

SIZES = [(1000, 500), (200, 100)]
GONE = {"description": "The car is gone.", "image_index": 1, "box_2d": [0, 100, 500, 200]}
READ_GONE = Difference("The car is gone.", 1, PixelRectangle(x_min=20, y_min=0, x_max=40, y_max=50))


def compared(*items: object) -> list[Difference]:
    return list(read(json.dumps({"summary": "Almost alike.", "differences": items}), SIZES).differences)


def indices(*given: object) -> list[int]:
    return [one.image_index for one in compared(*({**GONE, "image_index": index} for index in given))]


def test_the_pictures_are_counted_from_0() -> None:
    asked = question(3, "mind the signs", "polski")

    assert "Compare these 3 pictures. Each picture is preceded by its number, from 0 to 2." in asked.instruction
    assert "Write summary and descriptions in this language: polski." in asked.instruction
    assert asked.instruction.endswith("Additional instructions: mind the signs")
    assert '"image_index": {"type": "integer", "minimum": 0, "maximum": 2}' in json.dumps(asked.schema)


def test_a_box_is_in_pixels_of_its_own_picture() -> None:
    assert compared(GONE, {**GONE, "image_index": 0}) == [
        READ_GONE,
        Difference("The car is gone.", 0, PixelRectangle(x_min=100, y_min=0, x_max=200, y_max=250)),
    ]


def test_a_comparison_is_read() -> None:
    text = json.dumps({"summary": " Almost\nalike.", "differences": [GONE]})

    assert read(text, SIZES) == Comparison("Almost alike.", (READ_GONE,), is_whole=True)


def test_the_differences_may_come_alone() -> None:
    assert read(json.dumps([GONE]), SIZES) == Comparison(None, (READ_GONE,), is_whole=True)


def test_an_empty_answer_gives_an_empty_result() -> None:
    assert read("{}", SIZES) == Comparison(None, (), is_whole=True)
    assert read('{"summary": "Alike.", "differences": []}', SIZES) == Comparison("Alike.", (), is_whole=True)


def test_the_whole_items_of_a_cut_answer_are_kept() -> None:
    text = json.dumps({"summary": "Almost alike.", "differences": [GONE, GONE]})[:-9]

    assert read(text, SIZES) == Comparison("Almost alike.", (READ_GONE,), is_whole=False)


@pytest.mark.parametrize("text", ["", "They are alike.", '{"answer": 3}', "[1, 2]", '{"differences": "none"}'])
def test_an_answer_without_a_comparison_cannot_be_understood(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(text, SIZES)


@pytest.mark.parametrize("box", [None, "left", [1, 2, 3], [500, 0, 400, 10]])
def test_a_difference_without_a_usable_box_is_kept(box: object) -> None:
    assert compared({**GONE, "box_2d": box}) == [Difference("The car is gone.", 1, None)]


def test_a_picture_of_unknown_size_has_no_boxes() -> None:
    assert read(json.dumps([GONE]), [None, None]).differences == (Difference("The car is gone.", 1, None),)


def test_an_index_may_come_as_a_string_or_a_whole_float() -> None:
    assert indices("1", 0.0, "0") == [1, 0, 0]


def test_a_model_that_counts_from_1_is_understood() -> None:
    assert indices(1, 2, 1) == [0, 1, 0]


@pytest.mark.parametrize("index", [2, -1, 7, 0.5, None, "first", True, [0]])
def test_a_difference_in_a_missing_picture_is_dropped(index: object) -> None:
    assert indices(0, index) == [0]


def test_a_difference_without_a_description_is_dropped() -> None:
    assert compared({**GONE, "description": " "}, {"image_index": 0}, GONE) == [READ_GONE]


def test_differences_are_bounded() -> None:
    answer = read(json.dumps([GONE] * (MAX_DIFFERENCES + 1)), SIZES)

    assert len(answer.differences) == MAX_DIFFERENCES
    assert not answer.is_whole


@given(answers("differences", ["description", "image_index", "box_2d"], ["summary"]))
def test_any_answer_is_a_comparison_or_unreadable(text: str) -> None:
    try:
        answer = read(text, [(640, 480), None])
    except UnreadableAnswerError:
        return
    for one in answer.differences:
        assert one.image_index in {0, 1}
        assert one.description
        assert one.box is None or one.image_index == 0
