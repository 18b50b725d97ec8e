import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamFailedError
from app.gemini.encoding import decoded


@given(st.binary(max_size=5_000), st.sampled_from(["gzip", "GZIP", " gzip "]))
def test_gzip_is_taken_off(body: bytes, encoding: str) -> None:
    assert decoded(gzip.compress(body), encoding, 5_000) == body


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_returned_unchanged(encoding: str) -> None:
    assert decoded(b"{}", encoding, 2) == b"{}"


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "x" * 5_000])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(UpstreamFailedError, match="not requested"):
        decoded(zlib.compress(b"{}"), encoding, 100)


def test_a_body_at_the_bound_is_taken_and_one_byte_more_refused() -> None:
    assert decoded(gzip.compress(bytes(100)), "gzip", 100) == bytes(100)
    with pytest.raises(UpstreamFailedError, match="larger than 99"):
        decoded(gzip.compress(bytes(100)), "gzip", 99)


def test_a_bomb_costs_no_more_memory_than_the_bound() -> None:
    bomb = gzip.compress(bytes(200_000_000))

    tracemalloc.start()
    with pytest.raises(UpstreamFailedError, match="larger"):
        decoded(bomb, "gzip", 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4_000_000


@given(st.integers(0, 40))
def test_a_cut_body_is_refused(length: int) -> None:
    with pytest.raises(UpstreamFailedError):
        decoded(gzip.compress(b"some text that takes a few bytes")[:length], "gzip", 1_000)
