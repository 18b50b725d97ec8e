"""The framing of server-sent events."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.events import MAX_EVENT_BYTES, event_data
from app.ask.failures import GatewayFailedError

STREAM = (
    b": hi\n\nevent: a\ndata: 1\n\r\ndata:2\r\ndata:  3\r\n\r\nid: 4\n\n: keep-alive\n\ndata\ndata: \xe2\x80\xa8x\n\n"
)
EVENTS = [b"1", b"2\n 3", b"\xe2\x80\xa8x"]


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(STREAM))))
def test_the_events_are_the_same_however_the_stream_is_cut(places: list[int]) -> None:
    assert list(event_data(cut(STREAM, places))) == EVENTS


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    pieces = iter([b"data: 1\n", b"\ndata: 2"])
    events = event_data(pieces)

    assert next(events) == b"1"
    assert list(pieces) == []


def test_an_event_without_its_blank_line_is_none() -> None:
    assert list(event_data([b"data: 1\n\ndata: 2\n"])) == [b"1"]


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    given_pieces = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given_pieces
        while True:
            given_pieces += 1
            yield piece

    with pytest.raises(GatewayFailedError):
        list(event_data(pieces()))

    assert given_pieces * len(piece) < MAX_EVENT_BYTES + 2 * len(piece)
