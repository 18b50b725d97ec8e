"""Durations of MP3 and AAC: frames are counted, since neither has a file header that could state the duration.

For a cut MP3, only the count that the encoder left in the first frame (Xing, VBRI) is used, never a guess from bit rate
and size.
"""

import struct
from dataclasses import dataclass

from app.media.mpeg_audio import (
    FrameParser,
    MpegFrame,
    find_run,
    padding_end,
    parse_adts_frame,
    parse_mpeg_frame,
    tags_end,
)

_MOST_FRAMES = 1_000_000
_LONGEST_GAP_BYTES = 1 << 16
_MOST_GARBAGE_BYTES = 1 << 20
_HAS_FRAMES, _HAS_BYTES, _HAS_TABLE, _HAS_QUALITY = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class _Tag:
    """The encoder's tag in the first frame: the number of following frames, and the samples to drop at both ends."""

    frames: int | None
    dropped_samples: int


def mp3_duration(data: bytes, is_whole: bool) -> float | None:
    """Return the duration of an MP3 by its frames, or for a cut file by the count in its first frame."""
    start = find_run(data, parse_mpeg_frame, start=padding_end(data, tags_end(data)))
    first = parse_mpeg_frame(data, start) if start is not None else None
    if start is None or first is None:
        return None
    tag = _tag_of(data, start, first)
    if is_whole:
        samples = _count(data, start, parse_mpeg_frame)
        if samples is not None and tag is not None:
            # The frame with the tag contains no sound.
            samples -= first.samples
    else:
        samples = tag.frames * first.samples if tag is not None and tag.frames else None
    if samples is None:
        return None
    return (samples - (tag.dropped_samples if tag is not None else 0)) / first.sample_rate_hz


def aac_duration(data: bytes, is_whole: bool) -> float | None:
    """Return the duration of a whole AAC file in ADTS by its frames; None for a cut file, and for ADIF."""
    if not is_whole:
        return None
    start = find_run(data, parse_adts_frame, start=padding_end(data, tags_end(data)))
    first = parse_adts_frame(data, start) if start is not None else None
    samples = _count(data, start, parse_adts_frame) if start is not None else None
    return samples / first.sample_rate_hz if samples is not None and first is not None else None


def _count(data: bytes, start: int, parse: FrameParser) -> int | None:
    """Return the samples per channel from the frame at `start` on; None if counting exceeds the bounded work."""
    at, samples, allowed_bytes = start, 0, _MOST_GARBAGE_BYTES
    for _ in range(_MOST_FRAMES):
        frame = parse(data, at)
        if frame is not None:
            samples += frame.samples
            at += frame.size_bytes
            continue
        found = find_run(data, parse, start=at, limit=min(_LONGEST_GAP_BYTES, allowed_bytes))
        if found is None:
            return samples
        allowed_bytes -= found - at
        at = found
    return None


def _tag_of(data: bytes, at: int, first: MpegFrame) -> _Tag | None:
    if data.startswith(b"VBRI", at + 36):
        (frames,) = struct.unpack_from(">I", data, at + 36 + 14)
        return _Tag(frames, 0)
    tag_at = at + 4 + first.side_info_bytes
    if not data.startswith((b"Xing", b"Info"), tag_at):
        return None
    (flags,) = struct.unpack_from(">I", data, tag_at + 4)
    frames = struct.unpack_from(">I", data, tag_at + 8)[0] if flags & _HAS_FRAMES else None
    skipped = ((_HAS_FRAMES, 4), (_HAS_BYTES, 4), (_HAS_TABLE, 100), (_HAS_QUALITY, 4))
    encoder_at = tag_at + 8 + sum(size for flag, size in skipped if flags & flag)
    if encoder_at + 24 > at + first.size_bytes or not data[encoder_at : encoder_at + 1].isalpha():
        return _Tag(frames, 0)
    # LAME's extension: twelve bits of delay, twelve of padding.
    gaps = int.from_bytes(data[encoder_at + 21 : encoder_at + 24], "big")
    return _Tag(frames, (gaps >> 12) + (gaps & 0xFFF))
