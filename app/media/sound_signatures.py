"""Sound that is known by its frames, with or without ID3v2 tags before them, and the streams of ASF files."""

import struct

from app.media import mpeg_audio
from app.media.hints import ASF, TAGGED_SOUND, WMA

_AFTER_TAG: tuple[tuple[bytes, str], ...] = (
    (b"fLaC", "audio/flac"),
    (b"MP+", "audio/x-musepack"),
    (b"MPCK", "audio/x-musepack"),
    (b"MAC ", "audio/x-ape"),
    (b"TTA1", "audio/x-tta"),
    (b"wvpk", "audio/x-wavpack"),
)
# Damage between a tag and the first frame is searched so far.
_SEARCHED_BYTES = 4_096

ASF_MAGIC = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_STREAM = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
_ASF_SOUND = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_ASF_COMMANDS = bytes.fromhex("c0cfda59e659d011a3ac00a0c90348f6")
_MOST_STREAMS = 64


def frames_type(head: bytes) -> str | None:
    """Return the MIME type of sound whose frames start in the head, after its tags; None for other bytes."""
    at = mpeg_audio.tags_end(head)
    if at:
        return _after_tags(head, at)
    if _is_ac3(head, 0):
        return "audio/ac3"
    if mpeg_audio.starts_run(head, 0, mpeg_audio.parse_adts_frame):
        return "audio/aac"
    padding = mpeg_audio.padding_end(head)
    is_run = (
        mpeg_audio.find_run(head, mpeg_audio.parse_mpeg_frame, start=padding, limit=1) is not None
        if padding
        else mpeg_audio.starts_run(head, 0, mpeg_audio.parse_mpeg_frame)
    )
    return "audio/mpeg" if is_run else None


def _after_tags(head: bytes, at: int) -> str | None:
    start = mpeg_audio.padding_end(head, at)
    if start >= len(head):
        return TAGGED_SOUND
    known = next((name for magic, name in _AFTER_TAG if head.startswith(magic, at)), None)
    if known is not None:
        return known
    if _is_ac3(head, start):
        return "audio/ac3"
    for parse, mime_type in ((mpeg_audio.parse_adts_frame, "audio/aac"), (mpeg_audio.parse_mpeg_frame, "audio/mpeg")):
        if mpeg_audio.starts_run(head, start, parse):
            return mime_type
    searched = head[: start + _SEARCHED_BYTES]
    return "audio/mpeg" if mpeg_audio.find_run(searched, mpeg_audio.parse_mpeg_frame, start=start) is not None else None


def _is_ac3(head: bytes, at: int) -> bool:
    # The syncword, a rate that is not reserved, and the versions of AC-3 and Enhanced AC-3 (ATSC A/52).
    if not head.startswith(b"\x0b\x77", at) or len(head) < at + 7:
        return False
    version = head[at + 5] >> 3
    return version <= 16 and (head[at + 4] >> 6 != 3 or version > 10)


def asf_type(head: bytes) -> str | None:
    """Return `video/wmv`, or WMA if every stream is sound, or ASF if the head does not show all streams."""
    if not head.startswith(ASF_MAGIC) or len(head) < 24:
        return None
    (header_size,) = struct.unpack_from("<Q", head, 16)
    streams: set[bytes] = set()
    at = head.find(_ASF_STREAM, 0, header_size)
    for _ in range(_MOST_STREAMS):
        if at < 0:
            break
        streams.add(head[at + 24 : at + 40])
        at = head.find(_ASF_STREAM, at + 24, header_size)
    if streams - {_ASF_SOUND, _ASF_COMMANDS}:
        return "video/wmv"
    return WMA if _ASF_SOUND in streams and header_size <= len(head) else ASF
