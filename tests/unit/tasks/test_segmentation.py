"""Segmentation: the question, and the reading of each possible answer of a model."""

import io
import json

import pytest
from hypothesis import given, settings
from PIL import Image

from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.segmentations import question as segmentation
from app.tasks.segmentations.question import Segmentations, question, read
from tests.unit.tasks.answers import answers
from tests.unit.tasks.drawings import answer, bits, data_url, drawn, ellipse, overlap, probabilities, thousandths

WIDTH, HEIGHT = 320, 240
EDGES = (40, 30, 200, 150)
BOX_2D = thousandths(WIDTH, HEIGHT, EDGES)
CANVAS = drawn(ellipse, WIDTH, HEIGHT, EDGES)
BALL = {"box_2d": BOX_2D, "mask": data_url(probabilities(CANVAS, BOX_2D)), "label": "ball"}


def segmented(*items: object, mask: segmentation.Placement = "cropped") -> Segmentations:
    return read(answer(*items), width=WIDTH, height=HEIGHT, labels=(), mask=mask)


def test_the_question_for_masks_has_minimal_thinking() -> None:
    asked = question(labels=("ball",), prompt="mind the shadows", language=None)
    schema = json.loads(json.dumps(asked.schema))

    assert asked.thinking_level == "minimal"
    assert list(schema["items"]["properties"]) == ["box_2d", "mask", "label"]
    assert schema["items"]["required"] == ["box_2d", "label"]
    assert schema["items"]["properties"]["label"]["enum"] == ["ball"]
    assert "segmentation masks" in asked.instruction
    assert asked.instruction.endswith("Additional instructions: mind the shadows")


def test_a_cropped_mask_has_the_size_of_its_box() -> None:
    (one,) = segmented(BALL).objects

    assert one.mask is not None
    assert (one.mask.x, one.mask.y) == (one.found.box.x_min, one.found.box.y_min)
    assert (one.mask.width, one.mask.height) == (one.found.box.width, one.found.box.height)


def test_a_full_mask_has_the_drawn_shape_at_its_place() -> None:
    (one,) = segmented(BALL, mask="full").objects

    assert one.mask is not None
    with Image.open(io.BytesIO(one.mask.png)) as image:
        pixels = image.convert("1")
    assert pixels.size == (WIDTH, HEIGHT)
    white = bits(pixels.convert("L").resize((WIDTH * 8, HEIGHT * 8), Image.Resampling.NEAREST))
    assert overlap(white, bits(CANVAS)) >= 0.98
    assert one.mask.area == white.sum()


def test_masks_that_are_not_wanted_are_not_looked_at() -> None:
    assert segmented({**BALL, "mask": "broken"}, mask="none").warnings == ()
    assert [one.mask for one in segmented(BALL, mask="none").objects] == [None]


@pytest.mark.parametrize("mask", ["", "broken", None, 3, [], [[1, 2]], data_url(Image.new("L", (8, 8)))])
def test_an_object_with_an_unreadable_mask_keeps_its_box_with_a_warning(mask: object) -> None:
    found = segmented(BALL, {**BALL, "mask": mask}, {"box_2d": BOX_2D, "label": "ball"})

    assert [one.mask is None for one in found.objects] == [False, True, True]
    assert [(one.code, one.detail) for one in found.warnings] == [
        ("no-mask", "Objects without a readable mask: 2 of 3.")
    ]


@pytest.mark.parametrize("name", ["mask", "polygon", "contour"])
def test_a_mask_may_be_an_outline(name: str) -> None:
    outline = [[125, 125], [125, 625], [625, 625], [625, 125]]

    (one,) = segmented({"box_2d": [125, 125, 625, 625], "label": "ball", name: outline}).objects

    assert one.mask is not None
    assert one.mask.area == 160 * 120


def test_mask_pixels_are_bounded_and_a_warning_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    box_pixels, map_pixels = 160 * 120, 256 * 256
    monkeypatch.setattr(segmentation, "MAX_WORK", 2 * box_pixels + map_pixels)

    found = segmented(BALL, BALL, BALL)

    assert [one.mask is None for one in found.objects] == [False, False, True]
    assert [one.code for one in found.warnings] == ["too-many-mask-pixels"]


def test_unusable_objects_are_dropped_and_counted() -> None:
    found = read(answer(BALL, {**BALL, "label": "cat"}, {"mask": "x"}), width=9, height=9, labels=["Ball"], mask="none")

    assert [one.found.label for one in found.objects] == ["Ball"]
    assert found.dropped_count == 2


def test_an_answer_without_objects_cannot_be_understood() -> None:
    with pytest.raises(UnreadableAnswerError):
        read('{"answer": 3}', width=9, height=9, labels=(), mask="cropped")


def test_an_empty_list_of_objects_is_an_answer() -> None:
    assert segmented() == Segmentations((), 0, is_whole=True, warnings=())


@settings(max_examples=200)
@given(answers("objects", ["box_2d", "mask", "polygon", "label"]))
def test_any_answer_is_a_list_of_segments_or_unreadable(text: str) -> None:
    try:
        found = read(text, width=64, height=48, labels=(), mask="full")
    except UnreadableAnswerError:
        return
    for one in found.objects:
        assert one.mask is None or (0 < one.mask.area <= 64 * 48 and one.mask.width == 64)
