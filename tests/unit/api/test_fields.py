from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.api.fields import (
    Boolean,
    FileSize,
    FramesPerSecond,
    MetadataText,
    ModelName,
    OutputTokens,
    Seconds,
    Seed,
    Sha256,
    Temperature,
    Time,
    TopK,
)


def read(kind: Any, value: object) -> Any:
    return TypeAdapter[Any](kind).validate_python(value)


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1", "yes", "YES", True])
def test_true_booleans(value: object) -> None:
    assert read(Boolean, value) is True


@pytest.mark.parametrize("value", ["false", "False", "FALSE", "0", "no", "No", False])
def test_false_booleans(value: object) -> None:
    assert read(Boolean, value) is False


@pytest.mark.parametrize("value", ["on", "off", "t", "y", "2", " true", "null", "None"])
def test_invalid_booleans(value: str) -> None:
    with pytest.raises(ValidationError, match="true, false, 1, 0, yes or no"):
        read(Boolean, value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90.25", 90.25),
        ("1:30", 90),
        ("01:30", 90),
        ("0:00", 0),
        ("90:00", 5_400),
        ("1:05.5", 65.5),
        ("1:02:03", 3_723),
        ("1:02:03.75", 3_723.75),
        ("100:00:00", 360_000),
        (12.5, 12.5),
        (7, 7),
    ],
)
def test_a_time_may_be_seconds_or_a_clock(written: object, seconds: float) -> None:
    assert read(Time, written) == seconds


@given(st.integers(0, 200), st.integers(0, 59), st.integers(0, 59_999))
def test_a_clock_counts_hours_minutes_and_seconds(hours: int, minutes: int, milliseconds: int) -> None:
    written = f"{hours}:{minutes:02}:{milliseconds / 1000:06.3f}"

    assert read(Time, written) == pytest.approx(hours * 3600 + minutes * 60 + milliseconds / 1000)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "-1",
        "-1:00",
        "1:-5",
        "1:60",
        "1:60:00",
        "1:00:60",
        "1:2:3:4",
        ":30",
        "1:",
        "1::2",
        "1.5:00",
        "1:1e1",
        "1: 5",
        "1:nan",
        "1:inf",
        "1:0_5",
        "nan",
        "inf",
        "1e400",
        "9" * 400 + ":00",
        "864001",
        "\u0663:\u0660\u0665",
    ],
)
def test_invalid_times(written: str) -> None:
    with pytest.raises(ValidationError):
        read(Time, written)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Temperature, ["0", "2", "0.7"], ["-0.1", "2.1", "nan", "hot"]),
        (TopK, ["1", "1000"], ["0", "1001", "1.5"]),
        (OutputTokens, ["1", "1000000"], ["0", "1000001"]),
        (Seed, ["-2147483648", "2147483647"], ["-2147483649", "2147483648"]),
        (FramesPerSecond, ["0.1", "24"], ["0", "24.1", "inf"]),
        (FileSize, ["0", "1125899906842624"], ["-1", "1125899906842625", "1.5"]),
        (Seconds, ["0.5", "86400"], ["0", "86401", "nan"]),
    ],
)
def test_a_number_has_its_limits(kind: object, good: list[str], bad: list[str]) -> None:
    assert [read(kind, value) for value in good] == [float(value) for value in good]
    for value in bad:
        with pytest.raises(ValidationError):
            read(kind, value)


@pytest.mark.parametrize("given", ["a" * 64, "A" * 64, "0123456789abcdefABCDEF" + "0" * 42])
def test_a_digest_is_64_hex_digits_in_any_case(given: str) -> None:
    assert read(Sha256, given) == given.lower()


@pytest.mark.parametrize("given", ["", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n", "sha256:" + "a" * 57])
def test_invalid_digests(given: str) -> None:
    with pytest.raises(ValidationError):
        read(Sha256, given)


@pytest.mark.parametrize("name", ["gemini-3.8-flash", "models/gemini-3.8-flash", "g", "my_tuned.model-1"])
def test_a_model_is_named_with_or_without_prefix(name: str) -> None:
    assert read(ModelName, name) == name


@pytest.mark.parametrize(
    "name", ["", "models/", "../files", "a/b", "a?key=1", "a%2e", "a b", "-a", ".", "a" * 201, "modèle", "a\n", "a:b"]
)
def test_a_name_that_could_leave_its_place_in_a_path_is_no_model(name: str) -> None:
    with pytest.raises(ValidationError):
        read(ModelName, name)


def test_metadata_is_an_object_of_at_most_2000_bytes() -> None:
    assert read(MetadataText, '{"order": 7, "tags": ["a"]}') == {"order": 7, "tags": ["a"]}
    assert read(MetadataText, f'{{"k":"{"x" * 1_992}"}}') == {"k": "x" * 1_992}


@pytest.mark.parametrize(
    "text", ["", "7", "[]", "null", '"x"', "{", "{'a': 1}", f'{{"k":"{"x" * 1_993}"}}', '{"a": NaN}']
)
def test_invalid_metadata(text: str) -> None:
    with pytest.raises(ValidationError):
        read(MetadataText, text)
