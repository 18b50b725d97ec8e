"""The overlay: boxes, masks and labels on the picture as it is displayed."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from app.tasks.boxes import PixelRectangle
from app.tasks.masks import Mask, finish
from app.tasks.overlay import MAX_SIDE, Drawn, draw
from app.tasks.pictures import PictureTooLargeError, UnreadablePictureError
from tests.gateway import MEDIA
from tests.unit.tasks.drawings import encoded

LIMIT = 20_000_000
BOX = PixelRectangle(x_min=100, y_min=80, x_max=220, y_max=160)


def canvas(width: int = 320, height: int = 240) -> bytes:
    return encoded(Image.new("RGB", (width, height), "white"))


def pixels(data: bytes, *drawn: Drawn) -> NDArray[np.int64]:
    with Image.open(io.BytesIO(draw(data, drawn, max_pixels=LIMIT))) as image:
        assert image.format == "PNG"
        assert image.mode == "RGB"
        return np.asarray(image).astype(np.int64)


def is_white(found: NDArray[np.int64]) -> NDArray[np.bool_]:
    white: NDArray[np.bool_] = (found == 255).all(axis=-1)
    return white


def mask(box: PixelRectangle, full_size: tuple[int, int] | None) -> Mask:
    half = Image.new("L", (box.width, box.height))
    half.paste(255, (0, 0, box.width // 2, box.height))
    found = finish(half, box, full_size)
    assert found is not None
    return found


def plates(labels: list[str], boxes: list[PixelRectangle]) -> NDArray[np.int64]:
    return pixels(canvas(), *(Drawn(label, box, None) for label, box in zip(labels, boxes, strict=True)))


def test_a_box_is_drawn_on_its_own_outermost_pixels() -> None:
    found = ~is_white(pixels(canvas(), Drawn("car", BOX, None)))

    assert found[BOX.y_min, BOX.x_min : BOX.x_max].all()
    assert found[BOX.y_max - 1, BOX.x_min : BOX.x_max].all()
    assert found[BOX.y_min : BOX.y_max, BOX.x_min].all()
    assert found[BOX.y_min : BOX.y_max, BOX.x_max - 1].all()
    assert not found[BOX.y_max :, :].any()
    assert not found[:, BOX.x_max :].any()
    assert not found[BOX.y_min + 9 : BOX.y_max - 9, BOX.x_min + 9 : BOX.x_max - 9].any()


def test_the_label_is_above_its_box() -> None:
    found = ~is_white(pixels(canvas(), Drawn("car", BOX, None)))

    assert found[BOX.y_min - 8, BOX.x_min + 2]
    assert not found[: BOX.y_min - 30].any()


def test_a_label_that_has_no_room_above_stays_in_the_picture() -> None:
    everything = PixelRectangle(0, 0, 320, 240)

    found = ~is_white(pixels(canvas(), Drawn("car", everything, None)))

    assert found[8, 3]
    assert not found[60:180, 60:260].any()


def test_plates_do_not_cover_each_other_while_there_is_room() -> None:
    one, two = pixels(canvas(), Drawn("car", BOX, None)), plates(["car", "bus"], [BOX, BOX])

    plate = (slice(BOX.y_min - 20, BOX.y_min), slice(BOX.x_min, BOX.x_min + 30))
    assert (one[plate] == two[plate]).all()
    assert (one != two).any()


@pytest.mark.parametrize("full_size", [None, (320, 240)])
def test_a_mask_tints_its_pixels_alone(full_size: tuple[int, int] | None) -> None:
    found = ~is_white(pixels(canvas(), Drawn("car", BOX, mask(BOX, full_size))))

    inside = found[BOX.y_min + 3 : BOX.y_max - 3]
    assert inside[:, BOX.x_min : BOX.x_min + 60].all()
    assert not inside[:, BOX.x_min + 61 : BOX.x_max - 3].any()


def test_a_tint_lets_the_picture_show_through() -> None:
    found = pixels(canvas(), Drawn("car", BOX, mask(BOX, None)))

    edge, middle = found[120, BOX.x_min], found[120, BOX.x_min + 30]
    assert (middle > edge).any()
    assert (middle >= edge).all()


def test_labels_have_colours_of_their_own_that_stay_the_same() -> None:
    other = PixelRectangle(20, 180, 80, 230)
    both, alone = plates(["car", "bus"], [BOX, other]), plates(["Car "], [BOX])

    assert both[BOX.y_min, BOX.x_min].tolist() == alone[BOX.y_min, BOX.x_min].tolist()
    assert both[BOX.y_min, BOX.x_min].tolist() != both[other.y_min, other.x_min].tolist()


def test_lines_grow_with_the_picture() -> None:
    box = PixelRectangle(600, 600, 2000, 1600)

    found = ~is_white(pixels(canvas(MAX_SIDE, 1920), Drawn("car", box, None)))

    assert 5 <= found[1000, 600:700].sum() <= 9


def test_objects_are_drawn_on_the_upright_picture() -> None:
    data = (MEDIA / "shapes-exif6.jpg").read_bytes()

    found = pixels(data, Drawn("red rectangle", PixelRectangle(50, 60, 210, 180), None))

    assert found.shape == (480, 640, 3)
    assert found[120, 130, 0] > 180


def test_transparent_pixels_become_white() -> None:
    assert is_white(pixels(encoded(Image.new("RGBA", (30, 20), (0, 0, 0, 0))))).all()


@pytest.mark.parametrize("label", ["猫", "Fußgänger", "", "\x00", "x" * 500, "🚗", "مرحبا", "a\nb"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 48), (320, 240)])
def test_any_label_can_be_drawn_on_a_picture_of_any_size(label: str, size: tuple[int, int]) -> None:
    found = pixels(canvas(*size), Drawn(label, PixelRectangle(0, 0, *size), None))

    assert found.shape == (size[1], size[0], 3)
    assert not is_white(found).all()


def test_a_crowd_is_drawn_in_bounded_time() -> None:
    crowd = [
        Drawn(f"thing {n % 30}", PixelRectangle(n % 300, n % 200, n % 300 + 20, n % 200 + 30), None)
        for n in range(1000)
    ]

    assert pixels(canvas(), *crowd).shape == (240, 320, 3)


def test_a_picture_that_cannot_be_drawn_on_is_refused() -> None:
    with pytest.raises(UnreadablePictureError):
        draw(b"", [], max_pixels=LIMIT)
    with pytest.raises(PictureTooLargeError):
        draw(canvas(), [], max_pixels=1000)


def test_drawn_objects_can_be_pickled() -> None:
    drawn = Drawn("car", BOX, mask(BOX, None))

    assert pickle.loads(pickle.dumps(drawn)) == drawn


@settings(max_examples=60)
@given(st.data(), st.integers(1, 90), st.integers(1, 90), st.lists(st.text(max_size=40), max_size=6))
def test_anything_within_a_picture_can_be_drawn(
    data: st.DataObject, width: int, height: int, labels: list[str]
) -> None:
    drawn = []
    for label in labels:
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        box = PixelRectangle(x, y, data.draw(st.integers(x + 1, width)), data.draw(st.integers(y + 1, height)))
        full_size = data.draw(st.sampled_from([None, (width, height)]))
        drawn.append(Drawn(label, box, finish(Image.new("L", (box.width, box.height), 255), box, full_size)))

    assert pixels(canvas(width, height), *drawn).shape == (height, width, 3)


@pytest.mark.parametrize("full_size", [None, (2 * MAX_SIDE, 1000)])
def test_a_large_picture_is_scaled_down_with_its_objects(full_size: tuple[int, int] | None) -> None:
    box = PixelRectangle(x_min=2000, y_min=400, x_max=4000, y_max=800)

    found = pixels(canvas(2 * MAX_SIDE, 1000), Drawn("car", box, mask(box, full_size)))

    assert found.shape[:2] == (500, MAX_SIDE)
    shown = ~is_white(found)
    assert shown[201:399, 1001:1499].all()
    assert not shown[210:390, 1510:1990].any()
    assert shown[399, 1000:2000].all()
    assert not shown[405:, :].any()


def test_an_object_of_one_pixel_is_visible_after_scaling_down() -> None:
    box = PixelRectangle(x_min=5119, y_min=999, x_max=5120, y_max=1000)

    found = pixels(canvas(2 * MAX_SIDE, 1000), Drawn("dot", box, None))

    assert not is_white(found)[499, MAX_SIDE - 1]
