"""Sizes of pictures, from their headers only: no pixel is decoded, so no picture can be a bomb.

Each reader takes a file's bytes, whole or cut, and returns the stored size and the EXIF orientation. It raises
`struct.error`, `IndexError` or `ValueError` if the size is not in the bytes. Offsets are those of the formats'
specifications.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from app.media.facts import tiff

_MOST_PIECES = 100_000
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN, _JPEG_END, _JPEG_APP1 = 0xDA, 0xD9, 0xE1


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels as stored, and the EXIF orientation that turns them (None: upright)."""

    width: int
    height: int
    orientation: int | None = None


def png(data: bytes) -> Size:
    """Return the size in a PNG's IHDR, and the orientation in its eXIf chunk, which may follow the pixels."""
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    at = 8
    for _ in range(_MOST_PIECES):
        if at + 8 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"eXIf":
            return Size(width, height, tiff.orientation_of_exif(data[at + 8 : at + 8 + length]))
        at += 12 + length
    return Size(width, height)


def png_orientation_behind(tail: bytes) -> int | None:
    """Return the orientation in the eXIf chunk of a PNG's last bytes; None without such a chunk."""
    at = tail.rfind(b"eXIf")
    if at < 4:
        return None
    (length,) = struct.unpack_from(">I", tail, at - 4)
    (checksum,) = struct.unpack_from(">I", tail, at + 4 + length)
    # The chunk's name may also occur among the pixels, but then its checksum does not match.
    if zlib.crc32(tail[at : at + 4 + length]) != checksum:
        return None
    return tiff.orientation_of_exif(tail[at + 4 : at + 4 + length])


def jpeg(data: bytes) -> Size:
    """Return the size in a JPEG's frame header, after the segments before it."""
    orientation: int | None = None
    for marker, start, end in _jpeg_segments(data):
        if marker == _JPEG_APP1 and orientation is None and data[start : start + 6] == b"Exif\x00\x00":
            orientation = tiff.orientation_of_exif(data[start:end])
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, start + 1)
            return Size(width, height, orientation)
    raise ValueError("no frame header")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = 2
    for _ in range(_MOST_PIECES):
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_STANDALONE:
            at += 2
        elif marker in {_JPEG_SCAN, _JPEG_END}:
            return
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            yield marker, at + 4, at + 2 + length
            at += 2 + max(length, 2)


def webp(data: bytes) -> Size:
    """Return the size in a WebP's first chunk, and the orientation in its EXIF chunk, which follows the pixels."""
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise ValueError("cut header")
        return Size(width, height, _webp_orientation(data))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    raise ValueError("no picture chunk")


def _webp_orientation(data: bytes) -> int | None:
    at = 12
    for _ in range(_MOST_PIECES):
        if at + 8 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, at + 4)
        if data[at : at + 4] == b"EXIF":
            return tiff.orientation_of_exif(data[at + 8 : at + 8 + length])
        at += 8 + length + (length & 1)
    return None


def webp_says_exif(head: bytes) -> bool:
    """Whether a WebP's head announces an EXIF chunk after the pixels."""
    return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 0x08)


def webp_orientation_behind(tail: bytes) -> int | None:
    """Return the orientation in the EXIF chunk of a WebP's last bytes: the last chunk, or the chunk before XMP."""
    at = tail.rfind(b"EXIF")
    while at >= 0:
        (length,) = struct.unpack_from("<I", tail, at + 4)
        end = at + 8 + length + (length & 1)
        if end == len(tail) or tail[end : end + 4] == b"XMP ":
            return tiff.orientation_of_exif(tail[at + 8 : at + 8 + length])
        at = tail.rfind(b"EXIF", 0, at)
    return None


def gif(data: bytes) -> Size:
    """Return the size of a GIF's logical screen."""
    width, height = struct.unpack_from("<HH", data, 6)
    return Size(width, height)


def bmp(data: bytes) -> Size:
    """Return the size in a BMP's information header; a negative height means rows from the top."""
    (header_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    return Size(width, abs(height))


def tiff_file(data: bytes) -> Size:
    """Return the size in a TIFF's first directory, which is often at the file's end."""
    values = tiff.first_directory(data)
    if values.get(tiff.SUBFILE_TYPE, 0) & 1:
        # The first directory calls itself a preview of another picture.
        raise ValueError("a preview's size only")
    if tiff.WIDTH not in values or tiff.HEIGHT not in values:
        raise ValueError("no size")
    return Size(values[tiff.WIDTH], values[tiff.HEIGHT], values.get(tiff.ORIENTATION))
