"""Durations of Ogg sound (RFC 3533): the positions of its pages, from the first page with sound to the last page.

A file of several streams, one after another or interleaved, has no duration here. A recording of a running broadcast
starts late: its first position is far above zero, and only the difference is its own.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from app.media.facts.sound import stream_info

_MOST_PAGES = 200_000
_PAGE_HEAD = struct.Struct("<4sBBQIIIB")
_CONTINUED, _BEGINS, _FULL_SEGMENT = 1, 2, 255
_NO_POSITION = (1 << 64) - 1
_OPUS_RATE_HZ = 48_000
# Samples of an Opus frame by the five upper bits of its first byte (RFC 6716, section 3.1).
_OPUS_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


@dataclass(frozen=True, slots=True)
class _Page:
    """A page: its flags, position and stream, the start of its packets in the data, and its segments' sizes."""

    flags: int
    position: int
    serial: int
    start: int
    lacing: bytes

    @property
    def packets(self) -> int:
        """Return the number of packets that end in the page."""
        return sum(size < _FULL_SEGMENT for size in self.lacing)


@dataclass(frozen=True, slots=True)
class _Codec:
    """A codec's samples a second, the samples to drop at the start, and the most samples of a packet (0: unknown)."""

    rate_hz: int
    skipped: int
    most_packet_samples: int


def ogg_duration(data: bytes, is_whole: bool) -> float | None:
    """Return the duration of one Ogg stream; None for a cut file, several streams, or an unknown codec."""
    (serial,), packet = struct.unpack_from("<I", data, 14), 27 + data[26]
    is_flac = data.startswith(b"\x7fFLAC", packet)
    if not is_whole:
        return stream_info(data, packet + 17) if is_flac else None
    first: _Page | None = None
    last: _Page | None = None
    for page in _pages(data):
        if page.serial != serial or (page.flags & _BEGINS and page.start > packet):
            return None
        if page.position not in {0, _NO_POSITION}:
            first, last = first or page, page
    if is_flac:
        return stream_info(data, packet + 17)
    codec = _codec(data, packet)
    if codec is None or first is None or last is None:
        return None
    start = _start(data, first, codec)
    return None if start is None else (last.position - start - codec.skipped) / codec.rate_hz


def _codec(data: bytes, packet: int) -> _Codec | None:
    if data.startswith(b"\x01vorbis", packet):
        (rate,) = struct.unpack_from("<I", data, packet + 12)
        # Two neighbouring blocks overlap by half, so a packet adds at most half of the long block.
        return _Codec(rate, 0, 1 << (data[packet + 28] >> 4) >> 1)
    if data.startswith(b"OpusHead", packet):
        (skipped,) = struct.unpack_from("<H", data, packet + 10)
        return _Codec(_OPUS_RATE_HZ, skipped, 0)
    if data.startswith(b"Speex   ", packet):
        (rate,) = struct.unpack_from("<I", data, packet + 36)
        frame_samples, frames = struct.unpack_from("<I4xI", data, packet + 56)
        return _Codec(rate, 0, frame_samples * max(1, frames))
    return None


def _pages(data: bytes) -> Iterator[_Page]:
    at = 0
    for _ in range(_MOST_PAGES):
        # Damaged places are skipped.
        at = data.find(b"OggS", at)
        if at < 0 or at + _PAGE_HEAD.size > len(data):
            return
        _, version, flags, position, serial, _, _, segments = _PAGE_HEAD.unpack_from(data, at)
        start = at + _PAGE_HEAD.size + segments
        lacing = data[at + _PAGE_HEAD.size : start]
        if version == 0:
            yield _Page(flags, position, serial, start, lacing)
            at = start + sum(lacing)
        else:
            at += 1
    raise ValueError("too many pages")


def _start(data: bytes, page: _Page, codec: _Codec) -> int | None:
    """Return the position at which the sound of the first page starts; None if it starts late but its start is unknown.

    The codec's packets have samples of their own number, which the page does not state.
    """
    if codec.most_packet_samples:
        return 0 if page.position <= page.packets * codec.most_packet_samples else None
    # The last packet of a stream may be cut short, which would give a start below zero.
    return max(0, page.position - _opus_samples(data, page))


def _opus_samples(data: bytes, page: _Page) -> int:
    samples, at, begins = 0, page.start, not page.flags & _CONTINUED
    for size in page.lacing:
        if begins and size and at < len(data):
            kind = data[at] & 3
            frames = 1 if kind == 0 else 2 if kind < 3 else data[at + 1] & 63
            samples += frames * _OPUS_FRAMES[data[at] >> 3]
        begins = size < _FULL_SEGMENT
        at += size
    return samples
