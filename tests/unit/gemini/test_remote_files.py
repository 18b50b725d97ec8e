"""Files as Gemini describes them: every document is a file or an error of Gemini's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamFailedError
from app.gemini.remote_files import describe_file, read_file

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["name", "uri", "state", "expirationTime", "videoMetadata", "error", "sizeBytes", "x"])
FILES = st.dictionaries(NAMES, VALUES | st.fixed_dictionaries({"message": VALUES, "videoDuration": VALUES}))


@given(st.one_of(VALUES, FILES))
def test_any_document_is_a_file_or_an_error_of_geminis(file: object) -> None:
    body = json.dumps({"file": file}).encode()
    try:
        found = read_file(body)
    except UpstreamFailedError:
        return
    assert isinstance(found.name, str)
    assert isinstance(found.state, str)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "x", ""])
def test_a_time_beyond_the_clock_is_read_or_absent(time: str) -> None:
    described = describe_file(json.dumps({"name": "files/a", "expirationTime": time}).encode())

    assert described.expires_at is None or isinstance(described.expires_at, float)


@pytest.mark.parametrize(
    ("written", "seconds"), [("1.5s", 1.5), ("3", 3.0), ("nan", None), ("inf", None), ("-1s", None)]
)
def test_a_videos_duration_is_a_number_of_seconds(written: str, seconds: float | None) -> None:
    file = {"name": "files/a", "videoMetadata": {"videoDuration": written}}

    assert read_file(json.dumps({"file": file}).encode()).duration == seconds
