import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from emulator_tests.unit.drawing import FORMATS, MIME_TYPES, Drawing, draw, save
from emulator_tests.unit.tasks.asking import DETECTION, SEGMENTATION, ask, file_part, overlap, part, read_mask


def worst_overlap(drawing: Drawing, image_format: str) -> float:
    """Match each drawn shape with the mask that comes nearest, and give the worst of these overlaps."""
    width, height = drawing.image.size
    found = ask(SEGMENTATION, part(save(drawing.image, image_format, quality=92), MIME_TYPES[image_format]))
    assert len(found) == len(drawing.shapes)
    masks = [(item["label"], read_mask(item["mask"], item["box_2d"], width, height)) for item in found]
    return min(
        max(overlap(mask, shape.mask) for label, mask in masks if label == shape.label) for shape in drawing.shapes
    )


def test_a_known_picture_gives_its_true_boxes_and_masks() -> None:
    picture = file_part("shapes.png", "image/png")

    found = ask(SEGMENTATION, picture)

    assert [{name: item[name] for name in ("box_2d", "label")} for item in found] == ask(DETECTION, picture)
    mask = read_mask(found[0]["mask"], found[0]["box_2d"], 640, 480)
    assert np.array_equal(np.argwhere(mask)[[0, -1]], [[60, 50], [179, 209]])
    assert mask.sum() == 160 * 120


@pytest.mark.parametrize("seed", range(12))
def test_small_pictures_of_any_size_give_masks_to_the_pixel(seed: int) -> None:
    assert worst_overlap(draw(seed, cell=110 + 19 * seed), "PNG") >= 0.99


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("seed", range(20, 24))
def test_masks_survive_compression(image_format: str, seed: int) -> None:
    assert worst_overlap(draw(seed, cell=310), image_format) >= 0.98


@pytest.mark.parametrize("size", [(1999, 1501), (3001, 2003), (5003, 401), (997, 4999)])
@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "triangle"])
def test_small_shapes_of_large_pictures_lose_no_edge_to_rounding(size: tuple[int, int], kind: str) -> None:
    width, height = size
    image = Image.new("RGB", size, "white")
    stencil = Image.new("1", size)
    pen = ImageDraw.Draw(stencil)
    left, top = width // 3 + 1, height // 2 - 53
    right, bottom = left + 106, top + 101
    if kind == "rectangle":
        pen.rectangle((left, top, right, bottom), fill=1)
    elif kind == "ellipse":
        pen.ellipse((left, top, right, bottom), fill=1)
    else:
        pen.polygon([(left, bottom), (right, bottom), (left + 40, top)], fill=1)
    image.paste((0, 0, 255), mask=stencil)
    truth: NDArray[np.bool_] = np.asarray(stencil)

    (item,) = ask(SEGMENTATION, part(save(image, "PNG"), "image/png"))

    assert overlap(read_mask(item["mask"], item["box_2d"], width, height), truth) >= 0.98


def test_masks_of_large_shapes_are_scaled_down() -> None:
    image = Image.new("RGB", (3000, 2000), "white")
    ImageDraw.Draw(image).ellipse((100, 50, 2899, 1949), fill=(255, 0, 0))
    truth = np.asarray(image)[..., 1] == 0

    (item,) = ask(SEGMENTATION, part(save(image, "PNG"), "image/png"))

    assert len(item["mask"]) < 40_000
    assert overlap(read_mask(item["mask"], item["box_2d"], 3000, 2000), truth) >= 0.995


def test_a_shape_thinner_than_a_thousandth_keeps_a_box() -> None:
    image = Image.new("RGB", (9000, 60), "white")
    image.paste((255, 0, 0), (4502, 10, 4508, 50))
    picture = part(save(image, "PNG"), "image/png")

    (box,) = (item["box_2d"] for item in ask(DETECTION, picture))

    assert box == [167, 500, 833, 501]
