"""The duration in a WebM file's header: EBML elements (RFC 8794) down to the segment's information (RFC 9559)."""

import struct

_EBML, _SEGMENT, _INFO, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1F43B675
_TIMESTAMP_SCALE, _DURATION = 0x2AD7B1, 0x4489
_DEFAULT_SCALE_NS = 1_000_000
_MOST_ELEMENTS = 1000


def webm_duration(data: bytes, is_whole: bool) -> float | None:
    """Return the duration in seconds in the header; None for live recordings, whose header was never completed."""
    at, end = 0, len(data)
    for _ in range(_MOST_ELEMENTS):
        if at >= end:
            break
        identifier, size, content = _element(data, at)
        if identifier == _INFO:
            return _stated(data, content, min(content + size, end))
        if identifier == _CLUSTER:
            break
        # Only the segment is entered; other elements before the information are skipped.
        at = content if identifier == _SEGMENT else content + size
    return None


def _stated(data: bytes, at: int, end: int) -> float | None:
    scale, duration = _DEFAULT_SCALE_NS, None
    for _ in range(_MOST_ELEMENTS):
        if at >= end:
            break
        identifier, size, content = _element(data, at)
        value = data[content : content + size]
        if identifier == _TIMESTAMP_SCALE and size <= 8:
            scale = int.from_bytes(value, "big")
        elif identifier == _DURATION and size in {4, 8}:
            (duration,) = struct.unpack(">f" if size == 4 else ">d", value)
        at = content + size
    return None if duration is None else float(duration * scale / 1e9)


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the element at an offset: its identifier, its size, and the start of its content."""
    identifier_bytes = _vint_bytes(data[at], 4)
    size_at = at + identifier_bytes
    size_bytes = _vint_bytes(data[size_at], 8)
    content = size_at + size_bytes
    if content > len(data):
        raise IndexError("cut element")
    size = int.from_bytes(data[size_at:content], "big") & ((1 << 7 * size_bytes) - 1)
    return int.from_bytes(data[at:size_at], "big"), size, content


def _vint_bytes(first: int, most: int) -> int:
    length = 9 - first.bit_length()
    if length > most:
        raise ValueError("no variable-size integer")
    return length
