"""Times: a model's possible notations, and the notation in prompts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.times import MAX_TIME_S, clock, read_time


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (75, 75.0),
        (75.5, 75.5),
        (0, 0.0),
        (-0.0, 0.0),
        ("75", 75.0),
        ("75.5", 75.5),
        ("75s", 75.0),
        ("75.5 s", 75.5),
        ("1:15", 75.0),
        ("01:15", 75.0),
        ("01:15.5", 75.5),
        ("01:15,5", 75.5),
        ("01:15.125", 75.125),
        ("75:30", 4530.0),
        ("1:15:30", 4530.0),
        ("01:15:30.25", 4530.25),
        ("01:15:30,250", 4530.25),
        ("0:00:00", 0.0),
        (" 01:15 ", 75.0),
        (MAX_TIME_S, MAX_TIME_S),
    ],
)
def test_a_time_is_read_in_every_form_that_models_use(told: object, seconds: float) -> None:
    assert read_time(told) == seconds
    assert math.copysign(1, read_time(told) or 0) == 1


@pytest.mark.parametrize(
    "told",
    [
        None,
        True,
        False,
        -1,
        -0.001,
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        MAX_TIME_S + 1,
        "",
        " ",
        "soon",
        "-1",
        "-0:01",
        "1e5",
        "nan",
        "inf",
        "1:2:3:4",
        "1:75",
        "1:60:00",
        "1:",
        ":15",
        "1:15.",
        "1.5:15",
        "1:15\x00",
        "1,5",
        "\N{ARABIC-INDIC DIGIT THREE}:15",
        "9" * 10_000,
        "1:" * 10_000,
        [75],
        {"seconds": 75},
    ],
)
def test_an_invalid_time_is_none(told: object) -> None:
    assert read_time(told) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "00:00.0"),
        (5.04, "00:05.0"),
        (65.5, "01:05.5"),
        (59.96, "01:00.0"),
        (599.94, "09:59.9"),
        (3599.96, "1:00:00.0"),
        (3600, "1:00:00.0"),
        (4530.25, "1:15:30.2"),
        (360_000, "100:00:00.0"),
    ],
)
def test_a_time_is_written_as_a_clock_with_tenths(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@given(st.floats(0, MAX_TIME_S))
def test_a_written_time_is_read_again_to_a_tenth(seconds: float) -> None:
    again = read_time(clock(seconds))

    assert again is not None
    assert abs(again - seconds) <= 0.0501


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_value_is_a_finite_time_or_none(value: object) -> None:
    seconds = read_time(value)

    assert seconds is None or 0 <= seconds <= MAX_TIME_S


@given(st.from_regex(r"[0-9:., s]{0,40}", fullmatch=True))
def test_any_row_of_digits_and_colons_is_a_finite_time_or_none(text: str) -> None:
    seconds = read_time(text)

    assert seconds is None or 0 <= seconds <= MAX_TIME_S
