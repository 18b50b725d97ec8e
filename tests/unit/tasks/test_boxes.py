"""Boxes: y before x, thousandths to pixels, and nothing that has no area."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.boxes import PixelRectangle, in_pixels, in_thousandths, read_box_2d, read_number
from tests.unit.tasks.answers import ANYTHING, SCALARS


def test_y_comes_before_x_and_each_has_its_own_side() -> None:
    box_2d = read_box_2d([125, 78, 375, 328])

    assert box_2d == (125, 78, 375, 328)
    assert box_2d is not None
    assert in_pixels(box_2d, 640, 480) == PixelRectangle(x_min=50, y_min=60, x_max=210, y_max=180)


def test_the_whole_picture_is_the_whole_picture() -> None:
    assert in_pixels((0, 0, 1000, 1000), 4001, 37) == PixelRectangle(0, 0, 4001, 37)


def test_edges_are_rounded_and_a_half_goes_up() -> None:
    assert in_pixels((1, 5, 3, 15), 100, 500) == PixelRectangle(x_min=1, y_min=1, x_max=2, y_max=2)


def test_a_box_is_clipped_to_the_picture() -> None:
    assert read_box_2d([-50, -1, 1200, 2000]) == (0, 0, 1000, 1000)


def test_fractions_and_numbers_as_strings_count() -> None:
    box_2d = read_box_2d(["62.5", 100.25, " 125 ", 200])

    assert box_2d == (62.5, 100.25, 125, 200)
    assert box_2d is not None
    assert in_thousandths(box_2d) == (63, 100, 125, 200)
    assert in_pixels(box_2d, 1000, 480) == PixelRectangle(100, 30, 200, 60)


@pytest.mark.parametrize(
    "value",
    [
        [500, 100, 400, 200],
        [100, 500, 200, 400],
        [100, 100, 100, 200],
        [-20, 100, -10, 200],
        [1000, 1000, 1200, 1200],
        [100, 100, 200],
        [100, 100, 200, 200, 300],
        [100, 100, 200, None],
        [100, 100, 200, True],
        [100, 100, 200, "far"],
        [100, 100, 200, "1e999"],
        {"ymin": 1},
        "100, 100, 200, 200",
        None,
    ],
)
def test_an_invalid_box_or_a_box_without_area_is_none(value: object) -> None:
    assert read_box_2d(value) is None


def test_a_box_of_less_than_a_pixel_is_none() -> None:
    assert in_pixels((100, 100, 104, 200), 100, 100) is None


@pytest.mark.parametrize("value", ["x" * 33, "9" * 400, 10**400, float("nan"), float("-inf"), "inf", [], True])
def test_only_finite_numbers_are_numbers(value: object) -> None:
    assert read_number(value) is None


@given(st.lists(SCALARS, min_size=4, max_size=4) | ANYTHING, st.integers(1, 20_000), st.integers(1, 20_000))
def test_any_box_lies_within_the_picture(value: object, width: int, height: int) -> None:
    box_2d = read_box_2d(value)
    box = None if box_2d is None else in_pixels(box_2d, width, height)

    assert box is None or (0 <= box.x_min < box.x_max <= width and 0 <= box.y_min < box.y_max <= height)


@given(st.integers(1, 999), st.integers(1, 20_000))
def test_boxes_that_meet_still_meet_in_pixels(edge: int, side: int) -> None:
    upper, lower = in_pixels((0, 0, edge, 1000), side, side), in_pixels((edge, 0, 1000, 1000), side, side)

    assert upper is None or lower is None or upper.y_max == lower.y_min
