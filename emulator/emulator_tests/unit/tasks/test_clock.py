import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.generation.tasks.clock import clock, seconds_of, time_in
from gemini_emulator.generation.tasks.outline import Outline


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "00:00.00"),
        (4.333, "00:04.33"),
        (59.996, "01:00.00"),
        (754.5, "12:34.50"),
        (3599.999, "1:00:00.00"),
        (3723.25, "1:02:03.25"),
    ],
)
def test_times_are_written_as_a_clock_shows_them(seconds: float, written: str) -> None:
    assert clock(seconds) == written


@given(seconds=st.floats(0, 1e6))
def test_written_rows_are_read_back(seconds: float) -> None:
    assert seconds_of(clock(seconds)) == pytest.approx(seconds, abs=0.006)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("01:05.5", 65.5), ("1:00:00,250", 3600.25), ("75:30", 4530), ("12.5s", 12.5), (7, 7), (7.5, 7.5)],
)
def test_times_of_other_writers_are_read(value: object, seconds: float) -> None:
    assert seconds_of(value) == seconds


@given(value=st.none() | st.booleans() | st.lists(st.integers()) | st.text(st.characters(exclude_categories=["Nd"])))
def test_an_invalid_time_is_none(value: object) -> None:
    assert seconds_of(value) is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "01:05.26"),
        ({"type": ["string", "null"]}, "01:05.26"),
        ({"type": "number"}, 65.26),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, 65.26),
        ({"type": "integer"}, 65),
        ({}, "01:05.26"),
    ],
)
def test_a_time_is_of_the_type_that_the_schema_wants(schema: dict[str, object], value: object) -> None:
    assert time_in(Outline(schema, schema), 65.256) == value
