"""Masks: a model's map of a box lands on the right pixels of the picture."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.tasks.boxes import PixelRectangle, in_pixels, read_box_2d
from app.tasks.masks import (
    MAX_MASK_CHARS,
    Mask,
    decode_probabilities,
    finish,
    from_outline,
    from_probabilities,
    read_outline,
)
from tests.unit.tasks.answers import ANYTHING
from tests.unit.tasks.drawings import (
    Bits,
    Shape,
    bits,
    data_url,
    drawn,
    ellipse,
    encoded,
    overlap,
    probabilities,
    rectangle,
    thousandths,
    triangle,
)

GREY = Image.fromarray(np.array([[0, 127], [128, 255]], dtype=np.uint8))


def placed(mask: Image.Image, box_2d: list[int], width: int, height: int) -> Bits:
    """Return the pixels of a map as a mask of the whole picture."""
    read = read_box_2d(box_2d)
    assert read is not None
    box = in_pixels(read, width, height)
    assert box is not None
    pixels = from_probabilities(mask, read, box, width, height)
    return on_picture(pixels, box, width, height)


def on_picture(pixels: Image.Image, box: PixelRectangle, width: int, height: int) -> Bits:
    assert pixels.size == (box.width, box.height)
    whole = np.zeros((height, width), dtype=np.uint8)
    whole[box.y_min : box.y_max, box.x_min : box.x_max] = np.asarray(pixels)
    assert set(np.unique(whole)) <= {0, 255}
    return whole > 0


def decoded(text: str) -> list[list[int]]:
    image = decode_probabilities(text)
    assert image is not None
    assert image.mode == "L"
    return [[int(value) for value in row] for row in np.asarray(image)]


@pytest.mark.parametrize("shape", [ellipse, rectangle, triangle])
@pytest.mark.parametrize("map_size", [(256, 256), (64, 64), (37, 120), (700, 500)])
@pytest.mark.parametrize(
    ("size", "edges"),
    [
        ((640, 480), (50, 60, 210, 180)),
        ((640, 480), (301, 83, 517, 241)),
        ((777, 1001), (0, 13, 101, 114)),
        ((333, 487), (200, 300, 333, 487)),
    ],
)
def test_a_mask_has_the_shape_that_was_drawn(
    shape: Shape, map_size: tuple[int, int], size: tuple[int, int], edges: tuple[int, int, int, int]
) -> None:
    canvas = drawn(shape, *size, edges)
    box_2d = thousandths(*size, edges)

    assert overlap(placed(probabilities(canvas, box_2d, map_size), box_2d, *size), bits(canvas)) >= 0.98


def test_a_full_map_fills_its_box() -> None:
    full = Image.new("L", (7, 5), 255)

    assert placed(full, [41, 21, 979, 995], 500, 300)[12:294, 11:498].all()
    assert placed(full, [0, 0, 1000, 1000], 33, 77).all()


def test_a_map_is_not_mirrored_or_turned() -> None:
    assert placed(GREY, [0, 0, 1000, 1000], 2, 2).tolist() == [[False, False], [True, True]]


def test_more_than_127_of_255_is_the_object() -> None:
    assert not placed(Image.new("L", (4, 4), 127), [0, 0, 1000, 1000], 4, 4).any()
    assert placed(Image.new("L", (4, 4), 128), [0, 0, 1000, 1000], 4, 4).all()


@pytest.mark.parametrize("prefix", ["data:image/png;base64,", "data:image/png;charset=x;base64, ", "", "\n"])
def test_a_mask_is_a_data_url_or_bare_base64(prefix: str) -> None:
    letters = base64.b64encode(encoded(GREY)).decode()

    assert decoded(prefix + letters) == [[0, 127], [128, 255]]
    assert decoded(prefix + letters.rstrip("=")) == [[0, 127], [128, 255]]
    assert decoded(prefix + letters[:20] + "\n" + letters[20:]) == [[0, 127], [128, 255]]
    assert decoded(prefix + letters.replace("+", "-").replace("/", "_")) == [[0, 127], [128, 255]]


@pytest.mark.parametrize(
    "image",
    [
        GREY.point(lambda value: 255 if value > 127 else 0).convert("1"),
        GREY.point(lambda value: 255 if value > 127 else 0).convert("RGB"),
        GREY.point(lambda value: 255 if value > 127 else 0).convert("P"),
        Image.merge("LA", (GREY.point([255] * 256), GREY.point(lambda value: 255 if value > 127 else 0))),
        Image.merge("LA", (GREY.point([0] * 256), GREY.point(lambda value: 255 if value > 127 else 0))),
        Image.fromarray(np.array([[0, 0], [65535, 65535]], dtype=np.uint16)),
    ],
)
def test_a_mask_of_another_mode_means_the_same(image: Image.Image) -> None:
    assert decoded(data_url(image)) == [[0, 0], [255, 255]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data:image/png;base64,",
        "<start_of_mask_tokens>",
        "data:image/png;base64,AAAA",
        "é" * 10,
        "A" * (MAX_MASK_CHARS + 1),
        data_url(GREY)[:-40],
        data_url(Image.new("1", (4097, 4096))),
    ],
)
def test_an_invalid_or_too_large_mask_is_none(text: str) -> None:
    assert decode_probabilities(text) is None


@pytest.mark.parametrize("shape", [[(0, 0), (0, 500), (500, 250)], [(100, 100), (900, 150), (800, 900), (50, 700)]])
def test_an_outline_covers_pixels_by_their_centres(shape: list[tuple[int, int]]) -> None:
    canvas = drawn(lambda on, _: on.polygon([(x * 3.2, y * 2.4) for y, x in shape], fill=255), 400, 300, (0, 0, 1, 1))
    points = read_outline([list(point) for point in shape])
    assert points is not None
    box = PixelRectangle(0, 0, 400, 300)

    assert overlap(on_picture(from_outline(points, box, 400, 300), box, 400, 300), bits(canvas)) >= 0.99


def test_an_outline_of_exact_pixels_is_exact() -> None:
    points = read_outline([[250, 100], [250, 300], [750, 300], [750, 100]])
    assert points is not None
    box = PixelRectangle(x_min=0, y_min=2, x_max=4, y_max=8)

    assert np.asarray(from_outline(points, box, 10, 8)).tolist() == [[0, 255, 255, 0]] * 4 + [[0, 0, 0, 0]] * 2


def test_an_outline_is_clipped_to_its_box() -> None:
    points = read_outline([[-100, -100], [-100, 1200], [1200, 1200], ["1200", -100]])
    assert points is not None

    assert np.asarray(from_outline(points, PixelRectangle(3, 3, 5, 6), 10, 10)).tolist() == [[255, 255]] * 3


@pytest.mark.parametrize(
    "value", [[], [[1, 2]], [[1, 2], [3, 4], [5]], [[1, 2], [3, 4], [5, None]], "1,2", [[0, 0]] * 9999]
)
def test_an_invalid_outline_is_none(value: object) -> None:
    assert read_outline(value) is None


def test_a_mask_lies_where_its_box_does() -> None:
    pixels, box = Image.new("L", (3, 2), 255), PixelRectangle(10, 20, 13, 22)

    mask = finish(pixels, box, None)

    assert mask == Mask(encoded(pixels), x=10, y=20, width=3, height=2, area=6)


def test_a_full_mask_is_as_large_as_the_picture() -> None:
    mask = finish(Image.new("L", (3, 2), 255), PixelRectangle(10, 20, 13, 22), (40, 30))

    assert mask is not None
    assert (mask.x, mask.y, mask.width, mask.height, mask.area) == (0, 0, 40, 30, 6)
    with Image.open(io.BytesIO(mask.png)) as image:
        assert (image.mode, image.size, image.getbbox()) == ("L", (40, 30), (10, 20, 13, 22))


def test_a_mask_of_no_pixels_is_none() -> None:
    assert finish(Image.new("L", (3, 2)), PixelRectangle(10, 20, 13, 22), None) is None


@settings(max_examples=300)
@given(st.lists(st.lists(st.floats(-100, 1100), min_size=2, max_size=2), min_size=3, max_size=12) | ANYTHING)
def test_any_outline_fills_only_its_box(value: object) -> None:
    points = read_outline(value)

    assert points is None or from_outline(points, PixelRectangle(2, 3, 9, 11), 12, 13).size == (7, 8)


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_any_mask_is_a_picture_or_none(text: str) -> None:
    image = decode_probabilities(text)

    assert image is None or image.mode == "L"
