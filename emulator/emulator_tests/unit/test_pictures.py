import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from emulator_tests.unit.drawing import FORMATS, PALETTE, Drawing, draw, save
from gemini_emulator.senses.pictures import Picture, picture_size, see_picture
from gemini_emulator.senses.unreadable import PictureTooLargeError, UnreadableMediaError


def labels_and_boxes(picture: Picture) -> list[tuple[str, tuple[int, int, int, int]]]:
    return sorted((shape.label, shape.box) for shape in picture.shapes)


def true_labels_and_boxes(drawing: Drawing) -> list[tuple[str, tuple[int, int, int, int]]]:
    return sorted((shape.label, shape.box) for shape in drawing.shapes)


def greatest_deviation(picture: Picture, drawing: Drawing) -> int:
    pairs = zip(labels_and_boxes(picture), true_labels_and_boxes(drawing), strict=True)
    return max(abs(seen - true) for (_, box), (_, true_box) in pairs for seen, true in zip(box, true_box, strict=True))


def whole_mask(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    canvas = np.zeros((picture.height, picture.width), dtype=np.bool_)
    for shape in picture.shapes:
        x_min, y_min, x_max, y_max = shape.box
        canvas[y_min:y_max, x_min:x_max] |= shape.mask
    return canvas


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", FORMATS)
def test_shapes_are_seen_in_the_picture_as_displayed(image_format: str, orientation: int) -> None:
    drawing = draw(seed=orientation)

    picture = see_picture(save(drawing.image, image_format, orientation=orientation))

    assert (picture.width, picture.height) == drawing.image.size
    assert [label for label, _ in labels_and_boxes(picture)] == [label for label, _ in true_labels_and_boxes(drawing)]
    assert greatest_deviation(picture, drawing) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", FORMATS)
def test_the_size_as_displayed_is_read_from_the_headers(image_format: str, orientation: int) -> None:
    drawing = draw(seed=1)

    size = picture_size(save(drawing.image, image_format, orientation=orientation))

    assert size == drawing.image.size


@pytest.mark.parametrize("seed", range(20))
def test_lossless_pictures_give_exact_boxes_and_masks(seed: int) -> None:
    drawing = draw(seed, cell=40 + 9 * seed)

    picture = see_picture(save(drawing.image, "PNG"))

    assert labels_and_boxes(picture) == true_labels_and_boxes(drawing)
    assert np.array_equal(whole_mask(picture), np.logical_or.reduce([shape.mask for shape in drawing.shapes]))


@pytest.mark.parametrize("seed", range(30, 42))
@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "HEIF"])
def test_lossy_pictures_give_masks_that_differ_at_the_edges_only(image_format: str, seed: int) -> None:
    drawing = draw(seed)
    truth = np.logical_or.reduce([shape.mask for shape in drawing.shapes])

    picture = see_picture(save(drawing.image, image_format, quality=92))

    assert greatest_deviation(picture, drawing) <= 1
    assert np.count_nonzero(whole_mask(picture) ^ truth) < 0.01 * np.count_nonzero(truth)


@pytest.mark.parametrize("colour", sorted(PALETTE))
@pytest.mark.parametrize("image_format", FORMATS)
def test_every_colour_is_named(image_format: str, colour: str) -> None:
    drawing = draw(seed=3, columns=1, rows=1, colours=(colour,))

    picture = see_picture(save(drawing.image, image_format))

    assert [shape.colour for shape in picture.shapes] == [colour]


@pytest.mark.parametrize("image_format", FORMATS)
def test_grey_shapes_do_not_take_the_blurred_edges_of_black_ones(image_format: str) -> None:
    image = draw(seed=5, colours=("black", "grey")).image.resize((720, 480), Image.Resampling.BICUBIC)

    picture = see_picture(save(image, image_format))

    assert len(picture.shapes) == 6
    assert {shape.colour for shape in picture.shapes} == {"black", "grey"}


def test_shapes_that_touch_are_told_apart_by_colour() -> None:
    image = Image.new("RGB", (200, 100), "white")
    image.paste((255, 0, 0), (20, 20, 100, 80))
    image.paste((0, 0, 255), (100, 20, 180, 80))

    picture = see_picture(save(image, "JPEG"))

    assert labels_and_boxes(picture) == [("blue rectangle", (100, 20, 180, 80)), ("red rectangle", (20, 20, 100, 80))]


def test_a_coloured_background_is_no_shape_and_white_is_one() -> None:
    image = Image.new("RGB", (200, 100), (0, 0, 255))
    ImageDraw.Draw(image).ellipse((20, 10, 119, 89), fill="white")

    picture = see_picture(save(image, "PNG"))

    assert labels_and_boxes(picture) == [("white ellipse", (20, 10, 120, 90))]


def test_a_figure_that_is_none_of_the_known_ones_is_called_a_shape() -> None:
    image = Image.new("RGB", (200, 200), "white")
    image.paste((255, 0, 0), (80, 20, 120, 180))
    image.paste((255, 0, 0), (20, 80, 180, 120))

    picture = see_picture(save(image, "PNG"))

    assert labels_and_boxes(picture) == [("red shape", (20, 20, 180, 180))]


def test_transparent_pixels_are_seen_on_white() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (20, 30, 60, 70))

    picture = see_picture(save(image, "PNG"))

    assert labels_and_boxes(picture) == [("red rectangle", (20, 30, 60, 70))]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_pictures_of_other_colour_modes_are_seen(mode: str) -> None:
    image = Image.new("RGB", (100, 100), "white")
    image.paste("black", (20, 30, 60, 70))
    out = io.BytesIO()
    image.convert(mode).save(out, "TIFF")

    picture = see_picture(out.getvalue())

    assert labels_and_boxes(picture) == [("black rectangle", (20, 30, 60, 70))]


def test_noise_has_no_shapes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)

    picture = see_picture(save(Image.fromarray(noise), "PNG"))

    assert (picture.width, picture.height, picture.shapes) == (2000, 1500, ())


def test_a_picture_of_one_pixel_has_no_shapes() -> None:
    picture = see_picture(save(Image.new("RGB", (1, 1), "red"), "PNG"))

    assert (picture.width, picture.height, picture.shapes) == (1, 1, ())


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises many pixels that its data does not hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_001, 10_000), (60_000, 60_000)])
def test_a_picture_of_more_than_a_hundred_megapixels_is_not_decoded(size: tuple[int, int]) -> None:
    data = png_of_size(*size)

    with pytest.raises(PictureTooLargeError, match="more than 100 megapixels"):
        see_picture(data)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_cut_short_is_unreadable(image_format: str) -> None:
    data = save(draw(seed=1).image, image_format)

    with pytest.raises(UnreadableMediaError):
        see_picture(data[:300])


def test_a_photograph_of_12_megapixels_is_not_searched_for_shapes() -> None:
    blurred = np.random.default_rng(1).integers(0, 255, (75, 100, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(blurred).resize((4000, 3000), Image.Resampling.BICUBIC).save(written, "JPEG", quality=85)

    picture = see_picture(written.getvalue())

    assert (picture.width, picture.height, picture.shapes) == (4000, 3000, ())
