"""The masks of errors: no form of an error shows the key, and an answer that holds nothing to mask stays as it is."""

import json
from collections.abc import Sequence

from app.errors import UpstreamFailedError
from app.gemini.masking import Masking, is_error_event
from app.gemini.stream_masking import Elements, EventFrames, StreamMask
from tests.fuzz.cutting import cuttings, finished

KEY = "the-gateways-own-key"
MASKING = Masking(lambda: (KEY,))
WORDS = (
    KEY.encode(), b"".join(b"\\u%04x" % ord(letter) for letter in KEY), b'{"error":{"message":"', b'"error":',
    b"AIza0123456789abcdef", b"projects/acme-prod", b"a@example.com", b'"project":"', b'"consumer":', b"data: ",
    b'"details":[', b'"metadata":{', b'{"event_type":"error",', b"\\", b"\\ud800", b"\n", b"\r\n", b"[", b"{", b"}]",
)  # fmt: skip
LARGEST_GROWTH = 6
_HINTS = (b"key", b"aiza", b"aq.", b"project", b"consumer", b"@", b"account", b"principal", b"container", b"\\")


def run(data: bytes) -> None:
    """Mask one body, and one stream of each shape."""
    body, ways = cuttings(data)
    masked = MASKING.body(body)
    assert not _shows_key(masked)
    assert len(masked) <= LARGEST_GROWTH * len(body) + 10
    if not any(hint in body.lower() for hint in _HINTS):
        assert masked == body
    _whole(body)
    for finder in (EventFrames, Elements):
        whole = _stream([body], finder)
        assert whole is None or len(whole) <= LARGEST_GROWTH * len(body) + 10
        for pieces in ways:
            assert _stream(pieces, finder) == whole, pieces
        for line in (whole or b"").split(b"\n"):
            event = line.strip().removeprefix(b"data:").strip()
            assert finder is Elements or not (is_error_event(event) and line.startswith(b"data:") and _shows_key(event))


def _whole(body: bytes) -> None:
    try:
        masked = finished(MASKING.document(body))
    except UpstreamFailedError:
        return
    document = _parsed(masked)
    error = document.get("error") if isinstance(document, dict) else None
    assert not isinstance(error, dict | str) or KEY not in json.dumps(error, ensure_ascii=False)
    assert masked == body or KEY.encode() in body or any(hint in body.lower() for hint in _HINTS)


def _stream(pieces: Sequence[bytes], finder: type[EventFrames] | type[Elements]) -> bytes | None:
    mask = StreamMask(MASKING, finder())
    try:
        return b"".join([*map(mask.feed, pieces), mask.end()])
    except UpstreamFailedError:
        return None


def _shows_key(text: bytes) -> bool:
    if KEY.encode() in text:
        return True
    return KEY in json.dumps(_parsed(text), ensure_ascii=False)


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
