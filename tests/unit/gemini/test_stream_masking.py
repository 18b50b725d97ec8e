"""Errors in streams are masked however the stream is cut; everything else passes byte for byte."""

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamFailedError
from app.gemini.masking import Masking
from app.gemini.stream_masking import HELD_BYTES, Elements, EventFrames, StreamMask, UnitFinder

KEY = "the-secret-key"
MASKING = Masking(lambda: (KEY,))
CHUNK: dict[str, Any] = {
    "candidates": [{"content": {"parts": [{"text": 'a "quoted\\" { [ ] } text: \\'}]}}],
    "call": {"args": {"error": {"message": "mail jane@example.com, not projects/42"}}},
}
ERROR = {"error": {"code": 503, "message": f"Key {KEY} of projects/7395 failed.", "status": "UNAVAILABLE"}}
MASKED = {"error": {"code": 503, "message": "Key ... of ... failed.", "status": "UNAVAILABLE"}}


def events(*documents: object) -> bytes:
    return b"".join(b"data: " + json.dumps(document).encode() + b"\r\n\r\n" for document in documents)


def array(*documents: object) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(document, indent=2).encode() for document in documents) + b"\n]\n"


def masked(finder: UnitFinder, pieces: Iterable[bytes]) -> bytes:
    mask = StreamMask(MASKING, finder)
    return b"".join([*(mask.feed(piece) for piece in pieces), mask.end()])


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 10_000), max_size=20)
Frame = Callable[..., bytes]
FRAMES = pytest.mark.parametrize(("frame", "finder"), [(events, EventFrames), (array, Elements)])


@FRAMES
@given(places=PLACES, count=st.integers(0, 4))
def test_a_stream_without_errors_passes_byte_for_byte(
    frame: Frame, finder: type[EventFrames | Elements], places: list[int], count: int
) -> None:
    stream = frame(*[CHUNK] * count)

    assert masked(finder(), cut(stream, places)) == stream


@FRAMES
@given(places=PLACES)
def test_an_error_is_masked_wherever_it_is_cut(
    frame: Frame, finder: type[EventFrames | Elements], places: list[int]
) -> None:
    came = masked(finder(), cut(frame(CHUNK, ERROR, CHUNK), places))

    whole = came.decode()
    assert json.dumps(MASKED["error"]["message"]) in whole
    assert (KEY in whole, "projects/7395" in whole) == (False, False)
    assert whole.count("mail jane@example.com, not projects/42") == 2


def test_the_events_around_an_error_are_unchanged() -> None:
    came = masked(EventFrames(), [events(CHUNK, ERROR, CHUNK)])

    first, error, last, _ = came.split(b"\r\n\r\n")
    assert first + b"\r\n\r\n" == last + b"\r\n\r\n" == events(CHUNK)
    assert json.loads(error.removeprefix(b"data: ")) == MASKED


def test_an_array_with_an_error_is_still_an_array() -> None:
    assert json.loads(masked(Elements(), [array(CHUNK, ERROR)])) == [CHUNK, MASKED]


def test_an_error_event_of_interactions_and_of_openai_is_masked() -> None:
    interactions = b"event: error\ndata: " + json.dumps({"event_type": "error", **ERROR}).encode() + b"\n\n"
    openai = b"data: " + json.dumps([ERROR]).encode() + b"\n\ndata: [DONE]\n\n"

    assert KEY.encode() not in masked(EventFrames(), [interactions, openai])


def test_an_event_goes_on_as_soon_as_it_is_whole() -> None:
    mask = StreamMask(MASKING, EventFrames())

    assert mask.feed(events(CHUNK)) == events(CHUNK)
    assert mask.feed(b"data: {") == b""
    assert mask.feed(b"}\n\n") == b"data: {}\n\n"


def test_an_element_goes_on_as_soon_as_it_is_whole() -> None:
    mask = StreamMask(MASKING, Elements())

    assert mask.feed(b'[{"a": "}"}') == b'[{"a": "}"}'
    assert mask.feed(b',\r\n{"b"') == b""
    assert mask.feed(b": 1}") == b',\r\n{"b": 1}'
    assert mask.feed(b"]") + mask.end() == b"]"


@pytest.mark.parametrize("escape", ["\\\\", '\\"', "\\\\\\\\", '\\\\\\"'])
def test_escapes_at_a_cut_end_no_string(escape: str) -> None:
    stream = b'[{"t": "' + escape.encode() + b'"},{"error": {"message": "' + KEY.encode() + b'"}}]'

    for place in range(len(stream)):
        assert KEY.encode() not in masked(Elements(), cut(stream, [place]))


@FRAMES
def test_a_large_piece_of_an_answer_passes_without_being_held(
    frame: Frame, finder: type[EventFrames | Elements]
) -> None:
    stream = frame({"data": "x" * (3 * HELD_BYTES)}, ERROR)
    mask = StreamMask(MASKING, finder())

    first = mask.feed(stream[: HELD_BYTES + 1])
    rest = mask.feed(stream[HELD_BYTES + 1 :]) + mask.end()

    assert first == stream[: HELD_BYTES + 1]
    assert (first + rest).startswith(stream[: 3 * HELD_BYTES])
    assert KEY.encode() not in rest


@pytest.mark.parametrize(
    ("finder", "stream"),
    [
        (EventFrames, events({"error": {"message": KEY + "x" * (2 * HELD_BYTES)}})),
        (EventFrames, events({"event_type": "error", "error": {"message": KEY + "x" * (2 * HELD_BYTES)}})),
        (Elements, array({"error": {"message": KEY + "x" * (2 * HELD_BYTES)}})),
    ],
)
def test_an_error_too_large_to_be_judged_is_not_passed_on(finder: type[EventFrames | Elements], stream: bytes) -> None:
    mask = StreamMask(MASKING, finder())

    with pytest.raises(UpstreamFailedError, match="larger"):
        mask.feed(stream[: HELD_BYTES + 100])
