"""Durations of sound from the header: WAV, AIFF, FLAC; and of raw samples.

The readers take a file's bytes, and whether these are the whole file. They return None if the duration is not stated,
or raise `struct.error`, `IndexError`, `ValueError` or an arithmetic error if the header is broken.
"""

import struct
from collections.abc import Iterator

from app.media import mpeg_audio
from app.media.types import parameters_of

_MOST_PIECES = 10_000
# PCM, float, A-law, mu-law, extensible: a byte is a fixed time. For other codecs the header gives an average.
_FIXED_RATE_FORMATS = frozenset({0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE})
# AIFF-C codecs whose frames are samples; other codecs count packets.
_SAMPLE_CODECS = frozenset(
    {b"NONE", b"twos", b"sowt", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64", b"alaw", b"ulaw"}
)
_STREAMED_SIZES = frozenset({0, 0xFFFFFFFF})


def _chunks(data: bytes, size_format: str) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    for _ in range(_MOST_PIECES):
        if at + 8 > len(data):
            return
        (size,) = struct.unpack_from(size_format, data, at + 4)
        yield data[at : at + 4], at + 8, size
        at += 8 + size + (size & 1)


def wav_duration(data: bytes, is_whole: bool) -> float | None:
    """Return a WAV's sound bytes divided by its byte rate; for a cut file the stated bytes, else the actual bytes."""
    byte_rate, long_size = 0, 0
    for kind, start, size in _chunks(data, "<I"):
        if kind == b"ds64":
            (long_size,) = struct.unpack_from("<Q", data, start + 8)
        elif kind == b"fmt ":
            codec, _, _, byte_rate = struct.unpack_from("<HHII", data, start)
            if codec not in _FIXED_RATE_FORMATS:
                return None
        elif kind == b"data":
            stated = long_size if size in _STREAMED_SIZES else size
            held = len(data) - start
            if is_whole:
                stated = min(stated, held) if stated else held
            return stated / byte_rate if stated else None
    return None


def aiff_duration(data: bytes, is_whole: bool) -> float | None:
    """Return an AIFF's frames divided by its rate, both in its common chunk."""
    for kind, start, _ in _chunks(data, ">I"):
        if kind == b"COMM":
            if data[8:12] == b"AIFC" and data[start + 18 : start + 22] not in _SAMPLE_CODECS:
                return None
            _, frames, _, exponent, mantissa = struct.unpack_from(">HIHHQ", data, start)
            # The rate is an 80-bit float (IEEE 754 extended).
            return float(frames / (mantissa * 2.0 ** ((exponent & 0x7FFF) - 16_383 - 63)))
    return None


def flac_duration(data: bytes, is_whole: bool) -> float | None:
    """Return a FLAC's samples divided by its rate, both in STREAMINFO."""
    at = mpeg_audio.tags_end(data)
    if data[at : at + 4] != b"fLaC":
        return None
    return stream_info(data, at + 8)


def stream_info(data: bytes, at: int) -> float | None:
    """Return the duration in the STREAMINFO block at `at`; None if the block does not state it."""
    (packed,) = struct.unpack_from(">Q", data, at + 10)
    samples = packed & ((1 << 36) - 1)
    return samples / (packed >> 44) if samples else None


def raw_duration(size_bytes: int, mime_type: str, sample_bytes: int) -> float | None:
    """Return the duration of raw samples by the rate and channels of their type; None without a rate."""
    parameters = parameters_of(mime_type)
    if "rate" not in parameters:
        return None
    return size_bytes / (int(parameters["rate"]) * int(parameters.get("channels", "1")) * sample_bytes)
