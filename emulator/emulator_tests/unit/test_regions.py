import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gemini_emulator.senses.regions import ClassMap, count_runs, find_regions

class_maps = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.integers(0, 2))
)


def flood(classes: ClassMap) -> list[frozenset[tuple[int, int]]]:
    """Find the regions pixel by pixel: the slow and obvious way."""
    unseen = {(int(y), int(x)) for y, x in np.ndindex(classes.shape)}
    found = []
    while unseen:
        front = [unseen.pop()]
        region = set(front)
        while front:
            y, x = front.pop()
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & unseen
            alike = {pixel for pixel in around if classes[pixel] == classes[y, x]}
            unseen -= alike
            region |= alike
            front.extend(alike)
        found.append(frozenset(region))
    return found


@given(classes=class_maps)
@settings(max_examples=200, deadline=None)
def test_regions_are_those_that_a_flood_finds(classes: ClassMap) -> None:
    regions = find_regions(classes)

    listed = []
    for number, region_class in enumerate(regions.region_class):
        rows, columns = regions.pixels_of(np.arange(len(regions.area)) == number)
        pixels = frozenset(zip(rows.tolist(), columns.tolist(), strict=True))
        assert {int(classes[pixel]) for pixel in pixels} == {int(region_class)}
        assert len(pixels) == regions.area[number]
        listed.append(pixels)
    assert sorted(map(sorted, listed)) == sorted(map(sorted, flood(classes)))


@given(classes=class_maps)
@settings(max_examples=200, deadline=None)
def test_boxes_and_masks_are_those_of_the_pixels(classes: ClassMap) -> None:
    regions = find_regions(classes)

    for number in range(len(regions.area)):
        rows, columns = regions.pixels_of(np.arange(len(regions.area)) == number)
        mask = regions.mask_of(number)
        assert (regions.y_min[number], regions.y_max[number]) == (rows.min(), rows.max() + 1)
        assert (regions.x_min[number], regions.x_max[number]) == (columns.min(), columns.max() + 1)
        assert mask.shape == (np.ptp(rows) + 1, np.ptp(columns) + 1)
        assert np.array_equal(np.argwhere(mask), np.stack([rows - rows.min(), columns - columns.min()], axis=1))


def test_only_regions_that_hold_a_square_of_five_have_a_core() -> None:
    classes = np.zeros((20, 20), dtype=np.uint8)
    classes[2:7, 2:7] = 1
    classes[10:14, 2:18] = 2

    regions = find_regions(classes)

    cores = dict(zip(regions.region_class.tolist(), regions.has_core.tolist(), strict=True))
    assert cores == {0: True, 1: True, 2: False}


def test_a_spiral_is_one_region() -> None:
    classes = np.zeros((41, 41), dtype=np.uint8)
    for ring in range(0, 20, 2):
        classes[ring : 41 - ring, ring] = classes[ring : 41 - ring, 40 - ring] = 1
        classes[ring, ring : 41 - ring] = classes[40 - ring, ring : 41 - ring] = 1
        classes[ring + 1 : ring + 3, ring] = [0, 1]
        classes[ring + 2, ring : ring + 3] = 1

    regions = find_regions(classes)

    assert np.count_nonzero(regions.region_class == 1) == 1


def test_runs_are_counted_row_by_row() -> None:
    assert count_runs(np.array([[0, 0, 1], [1, 1, 1]], dtype=np.uint8)) == 3
