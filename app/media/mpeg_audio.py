"""Frame headers of MPEG sound: MP3 (and layer II) and AAC in ADTS.

Both are streams of frames without a file header, so a header counts only if the next frame, at the place given by the
first frame's length, agrees. The headers serve to recognise and to measure such files. This module knows neither files
nor types.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

MPEG_HEADER_BYTES = 4
ADTS_HEADER_BYTES = 7
MAX_PADDING_BYTES = 65_536
_ID3_HEADER_BYTES = 10
_MOST_TAGS = 64
_PADDING = re.compile(rb"\0{1,%d}" % MAX_PADDING_BYTES)

_MPEG_1, _MPEG_2 = 3, 2
_LAYER_II, _LAYER_III = 2, 1
_MPEG_RATES_HZ = (44_100, 48_000, 32_000)
_ADTS_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_KBIT_1_II = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_KBIT_1_III = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """One frame: its size in bytes, its samples per channel, their rate, and what its neighbours share with it."""

    size_bytes: int
    samples: int
    sample_rate_hz: int
    stream: tuple[int, ...]
    side_info_bytes: int


FrameParser = Callable[[bytes, int], MpegFrame | None]


def parse_mpeg_frame(data: bytes, at: int) -> MpegFrame | None:
    """Return the frame header at `at` of MPEG-1, 2 or 2.5, layer II or III; None if there is none."""
    # Layer I and free bit rates are left out: hardly any file has them, and a UTF-16 byte order mark looks like layer
    # I.
    header = data[at : at + MPEG_HEADER_BYTES]
    if len(header) < MPEG_HEADER_BYTES or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate_index, bits_index = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer not in {_LAYER_II, _LAYER_III} or rate_index == 3 or bits_index in {0, 15}:
        return None
    is_first = version == _MPEG_1
    table = (_KBIT_1_II if layer == _LAYER_II else _KBIT_1_III) if is_first else _KBIT_2
    rate = _MPEG_RATES_HZ[rate_index] >> (0 if is_first else 1 if version == _MPEG_2 else 2)
    samples = 576 if layer == _LAYER_III and not is_first else 1152
    size = samples // 8 * table[bits_index - 1] * 1000 // rate + (header[2] >> 1 & 1)
    is_mono = header[3] >> 6 == 3
    side_info = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    return MpegFrame(size, samples, rate, (version, layer, rate), side_info)


def parse_adts_frame(data: bytes, at: int) -> MpegFrame | None:
    """Return the ADTS frame header at `at`; None if there is none."""
    header = data[at : at + ADTS_HEADER_BYTES]
    if len(header) < ADTS_HEADER_BYTES or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    rate_index = header[2] >> 2 & 15
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate_index >= len(_ADTS_RATES_HZ) or size < ADTS_HEADER_BYTES:
        return None
    rate = _ADTS_RATES_HZ[rate_index]
    return MpegFrame(size, 1024 * ((header[6] & 3) + 1), rate, (header[1] >> 3 & 1, header[2] >> 6, rate), 0)


def id3_end(data: bytes, at: int = 0) -> int:
    """Return the end of the ID3v2 tag that starts at `at`, possibly beyond the data; `at` itself without a tag."""
    header = data[at : at + _ID3_HEADER_BYTES]
    if len(header) < _ID3_HEADER_BYTES or header[:3] != b"ID3" or header[3] not in {2, 3, 4} or header[4] == 0xFF:
        return at
    size = 0
    for byte in header[6:]:
        if byte & 0x80:
            return at
        size = size << 7 | byte
    has_footer = header[5] & 0x10
    return at + _ID3_HEADER_BYTES + size + (_ID3_HEADER_BYTES if has_footer else 0)


def tags_end(data: bytes) -> int:
    """Return the end of the ID3v2 tags at the start of the data, possibly beyond the data; 0 without a tag.

    Tags may follow one another.
    """
    at = 0
    for _ in range(_MOST_TAGS):
        end = id3_end(data, at)
        if end == at:
            break
        at = end
    return at


def padding_end(data: bytes, at: int = 0) -> int:
    """Return the end of the zeros that start at `at`, at most 64 KiB of them."""
    # Some encoders pad with zeros before the first frame.
    padding = _PADDING.match(data, at)
    return at if padding is None else padding.end()


def starts_run(data: bytes, at: int, parse: FrameParser) -> bool:
    """Whether frames start at `at`: the second frame agrees with the first, or lies beyond the data."""
    first = parse(data, at)
    if first is None:
        return False
    following = at + first.size_bytes
    if following + ADTS_HEADER_BYTES > len(data):
        return True
    second = parse(data, following)
    return second is not None and second.stream == first.stream


def find_run(data: bytes, parse: FrameParser, *, start: int = 0, limit: int = 65_536) -> int | None:
    """Return the first offset from `start` at which frames start and continue, within `limit` bytes, or None."""
    # A single header proves nothing here, unlike at a file's start: a second frame must lie within the data, and a
    # third must agree.
    at = data.find(b"\xff", start)
    while 0 <= at < start + limit:
        first = parse(data, at)
        if first is not None and starts_run(data, at, parse) and starts_run(data, at + first.size_bytes, parse):
            return at
        at = data.find(b"\xff", at + 1)
    return None
