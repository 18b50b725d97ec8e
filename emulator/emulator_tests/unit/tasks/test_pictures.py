import pytest
from PIL import Image

from emulator_tests.unit.drawing import MIME_TYPES, Drawing, draw, save
from emulator_tests.unit.tasks.asking import (
    BOX,
    CAPTION,
    DETECTION,
    TEXT,
    TRUTH,
    Json,
    ask,
    file_part,
    labelled,
    list_of,
    object_of,
    part,
)
from gemini_emulator.generation.media import MediaPart

PNG = file_part("shapes.png", "image/png")
ONE_RED = {"box_2d": [125, 78, 375, 328], "label": "red rectangle"}
PLAIN_MIME_TYPES = {"GIF": "image/gif", "BMP": "image/bmp", "TIFF": "image/tiff"}


def true_items() -> list[Json]:
    """Return the objects of the file of truths as items in fractions of thousandths."""
    size = TRUTH["shapes.png"]
    boxes = [(shape["label"], shape["box_px"]) for shape in size["objects"]]
    return [
        {
            "label": label,
            "box_2d": [
                box["y_min"] * 1000 / size["height"],
                box["x_min"] * 1000 / size["width"],
                box["y_max"] * 1000 / size["height"],
                box["x_max"] * 1000 / size["width"],
            ],
        }
        for label, box in boxes
    ]


def drawn_items(drawing: Drawing) -> list[Json]:
    width, height = drawing.image.size
    return [
        {
            "label": shape.label,
            "box_2d": [
                shape.box[1] * 1000 / height,
                shape.box[0] * 1000 / width,
                shape.box[3] * 1000 / height,
                shape.box[2] * 1000 / width,
            ],
        }
        for shape in drawing.shapes
    ]


def greatest_gap(found: list[Json], true: list[Json]) -> float:
    """Compare items of equal labels by their boxes, in thousandths."""

    def key(item: Json) -> tuple[str, float, float]:
        # Rows and columns of the grid are far apart; edges are not exact.
        return item["label"], round(item["box_2d"][0] / 100), item["box_2d"][1]

    pairs = list(zip(sorted(found, key=key), sorted(true, key=key), strict=True))
    assert [one["label"] for one, _ in pairs] == [other["label"] for _, other in pairs]
    gaps: list[float] = [abs(a - b) for one, two in pairs for a, b in zip(one["box_2d"], two["box_2d"], strict=True)]
    return max(gaps)


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("shapes.png", "image/png"),
        ("shapes.jpg", "image/jpeg"),
        ("shapes.webp", "image/webp"),
        ("shapes.heic", "image/heic"),
        ("shapes-exif6.jpg", "image/jpeg"),
    ],
)
def test_known_pictures_give_their_true_boxes(name: str, mime_type: str) -> None:
    found = ask(DETECTION, file_part(name, mime_type))

    assert [item["label"] for item in found] == ["red rectangle", "green ellipse", "blue triangle"]
    assert greatest_gap(found, true_items()) <= 1
    assert found[0] == ONE_RED


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", sorted(MIME_TYPES))
def test_drawn_pictures_give_their_boxes_as_displayed(image_format: str, orientation: int) -> None:
    drawing = draw(seed=100 + orientation, cell=240)
    picture = part(save(drawing.image, image_format, orientation=orientation), MIME_TYPES[image_format])

    found = ask(DETECTION, picture)

    # Compression may move an edge by a pixel.
    assert greatest_gap(found, drawn_items(drawing)) <= 1 + 1000 / min(drawing.image.size)


@pytest.mark.parametrize("image_format", sorted(PLAIN_MIME_TYPES))
def test_lossless_pictures_of_other_formats_give_their_boxes(image_format: str) -> None:
    drawing = draw(seed=7, cell=240)

    found = ask(DETECTION, part(save(drawing.image, image_format), PLAIN_MIME_TYPES[image_format]))

    assert greatest_gap(found, drawn_items(drawing)) <= 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_upright(orientation: int) -> None:
    drawing = draw(seed=8, cell=240)

    found = ask(DETECTION, part(save(drawing.image, "TIFF", orientation=orientation), "image/tiff"))

    assert greatest_gap(found, drawn_items(drawing)) <= 0.5


def test_the_list_may_lie_in_an_object() -> None:
    found = ask(object_of({"objects": DETECTION}), PNG)

    assert found["objects"][0] == ONE_RED


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["Red Rectangle"], ["Red Rectangle"]),
        (["RED"], ["RED"]),
        (["rectangle", "triangle"], ["rectangle", "triangle"]),
        (["red", "red rectangle", "rectangle"], ["red rectangle"]),
        (["ellipse", "green"], ["ellipse"]),
        (["purple", "red circle", "", "re"], []),
    ],
)
def test_wanted_labels_choose_the_shapes(labels: list[str], found: list[str]) -> None:
    assert [item["label"] for item in ask(labelled(*labels), PNG)] == found


def test_no_more_items_than_wanted_are_given() -> None:
    assert ask({**DETECTION, "maxItems": 1}, PNG) == [ONE_RED]


def test_an_empty_page_shows_nothing() -> None:
    assert ask(DETECTION, part(save(Image.new("RGB", (64, 48), "white"), "PNG"), "image/png")) == []


@pytest.mark.parametrize(
    "media",
    [
        [],
        [file_part("speech.wav", "audio/wav")],
        [file_part("truncated.png", "image/png")],
        [MediaPart(1, "image/png", uri="https://example.com/a.png")],
    ],
)
def test_without_a_picture_that_can_be_read_nothing_is_found(media: list[MediaPart]) -> None:
    assert ask(DETECTION, *media) == []


def test_properties_beside_the_tasks_own_get_a_value_only_if_required() -> None:
    item = object_of({"score": {"type": "number"}, "box_2d": BOX, "kind": TEXT, "label": TEXT}, optional=("kind",))

    assert list(ask(list_of(item), PNG)[0]) == ["score", "box_2d", "label"]


def test_a_caption_names_size_and_shapes() -> None:
    assert ask(CAPTION, PNG) == {
        "caption": "Emulated: 640x480 picture with a red rectangle, a green ellipse and a blue triangle",
        "alt_text": "A red rectangle, a green ellipse and a blue triangle.",
        "tags": ["red", "green", "blue", "rectangle", "ellipse", "triangle"],
    }


def test_a_caption_of_nothing_is_empty() -> None:
    assert ask(CAPTION) == {"caption": "", "alt_text": "", "tags": []}


def test_a_caption_says_when_a_picture_cannot_be_read() -> None:
    answer = ask(CAPTION, file_part("program.jpg", "image/jpeg"))

    assert answer == {
        "caption": "Emulated: a picture that cannot be read",
        "alt_text": "A picture that cannot be read.",
        "tags": [],
    }


def test_a_caption_of_an_empty_picture_says_so() -> None:
    answer = ask(CAPTION, part(save(Image.new("RGB", (64, 48), "white"), "PNG"), "image/png"))

    assert answer["caption"] == "Emulated: 64x48 picture with no coloured shapes"
    assert answer["tags"] == []
