from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.generation.tasks.boxes import covering_box, nearest_box
from gemini_emulator.senses.pictures import Box


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Box, int, int]:
    """Draw a box and the size of a picture that holds it."""
    width, height = draw(st.integers(1, 20_000)), draw(st.integers(1, 20_000))
    x_min, y_min = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x_max, y_max = draw(st.integers(x_min + 1, width)), draw(st.integers(y_min + 1, height))
    return (x_min, y_min, x_max, y_max), width, height


@given(case=boxes())
def test_boxes_have_an_area_and_lie_within_a_thousandth_of_the_truth(case: tuple[Box, int, int]) -> None:
    box, width, height = case
    truth = [box[1] * 1000 / height, box[0] * 1000 / width, box[3] * 1000 / height, box[2] * 1000 / width]

    for rounded in (nearest_box(*case), covering_box(*case)):
        assert 0 <= rounded[0] < rounded[2] <= 1000
        assert 0 <= rounded[1] < rounded[3] <= 1000
        assert all(abs(one - other) <= 1 for one, other in zip(rounded, truth, strict=True))


@given(case=boxes())
def test_a_covering_box_holds_the_centre_of_each_pixel(case: tuple[Box, int, int]) -> None:
    box, width, height = case

    y_min, x_min, y_max, x_max = covering_box(*case)

    assert x_min * width <= (box[0] + 0.5) * 1000
    assert y_min * height <= (box[1] + 0.5) * 1000
    assert x_max * width >= (box[2] - 0.5) * 1000
    assert y_max * height >= (box[3] - 0.5) * 1000


def test_a_box_is_rounded_to_the_nearest_thousandth() -> None:
    assert nearest_box((1, 1, 2000, 3000), 3001, 3001) == (0, 0, 1000, 666)


def test_a_box_that_would_have_no_area_is_widened() -> None:
    assert nearest_box((6, 0, 7, 10_000), 10_000, 10_000) == (0, 0, 1000, 1)


def test_the_order_is_y_before_x() -> None:
    assert nearest_box((50, 60, 210, 180), 640, 480) == (125, 78, 375, 328)
