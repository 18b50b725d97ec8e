import pytest
from PIL import Image

from emulator_tests.unit.drawing import FORMATS, MIME_TYPES, draw, save
from emulator_tests.unit.tasks.asking import COMPARISON, ask, file_part, part
from gemini_emulator.generation.media import MediaPart

FULL = file_part("shapes.png", "image/png")
LESS = file_part("shapes-one-missing.png", "image/png")
RED_BOX = [125, 78, 375, 328]


def rectangle(left: int, top: int, *, scale: int = 1) -> MediaPart:
    """Draw a picture with one red rectangle of 100 x 60."""
    image = Image.new("RGB", (400 * scale, 300 * scale), "white")
    box = (left * scale, top * scale, (left + 100) * scale, (top + 60) * scale)
    image.paste((255, 0, 0), box)
    return part(save(image, "PNG"), "image/png")


def test_a_shape_that_is_missing_is_told_where_it_shows() -> None:
    assert ask(COMPARISON, FULL, LESS) == {
        "summary": "Emulated: picture 0 is 640x480 with 3 shapes and picture 1 is 640x480 with 2 shapes; 1 difference.",
        "differences": [
            {
                "description": "a red rectangle that picture 1 does not show",
                "image_index": 0,
                "box_2d": RED_BOX,
            }
        ],
    }


def test_a_shape_that_was_added_is_told_where_it_shows() -> None:
    (difference,) = ask(COMPARISON, LESS, FULL)["differences"]

    assert difference == {
        "description": "a red rectangle that picture 0 does not show",
        "image_index": 1,
        "box_2d": RED_BOX,
    }


def test_each_later_picture_is_held_against_the_first() -> None:
    differences = ask(COMPARISON, LESS, LESS, FULL, FULL)["differences"]

    assert [difference["image_index"] for difference in differences] == [2, 3]


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_same_picture_in_another_format_has_no_differences(image_format: str, orientation: int) -> None:
    drawing = draw(seed=orientation)
    first = part(save(drawing.image, "PNG"), "image/png")
    other = part(save(drawing.image, image_format, orientation=orientation), MIME_TYPES[image_format])

    answer = ask(COMPARISON, first, other)

    assert answer["differences"] == []
    assert answer["summary"].endswith("; 0 differences.")


def test_the_same_picture_in_another_size_has_no_differences() -> None:
    assert ask(COMPARISON, rectangle(40, 50), rectangle(40, 50, scale=3))["differences"] == []


def test_a_shape_that_moved_is_told_in_both_pictures() -> None:
    differences = ask(COMPARISON, rectangle(40, 60), rectangle(240, 60))["differences"]

    assert [(one["image_index"], one["box_2d"]) for one in differences] == [
        (0, [200, 100, 400, 350]),
        (1, [200, 600, 400, 850]),
    ]


def test_pictures_are_counted_and_other_media_are_not() -> None:
    answer = ask(COMPARISON, file_part("speech.wav", "audio/wav"), LESS, FULL)

    assert answer["differences"][0]["image_index"] == 1


def test_a_picture_that_cannot_be_read_has_no_differences_and_is_named() -> None:
    answer = ask(COMPARISON, FULL, file_part("truncated.png", "image/png"), LESS)

    assert [one["image_index"] for one in answer["differences"]] == [0]
    assert "picture 1 cannot be read" in answer["summary"]


def test_without_pictures_there_is_nothing_to_compare() -> None:
    assert ask(COMPARISON) == {"summary": "Emulated: no pictures; 0 differences.", "differences": []}
