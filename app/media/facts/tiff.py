"""TIFF directories, the structure of TIFF files and EXIF blocks. Only integers and short texts are read."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

SUBFILE_TYPE, WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, MAKE, ORIENTATION = 254, 256, 257, 259, 262, 271, 274
SUB_DIRECTORIES, DNG_VERSION = 330, 50706

_MOST_ENTRIES = 1000
_LONGEST_TEXT_BYTES = 64
_ASCII, _SHORT, _LONG, _LONG_8 = 2, 3, 4, 16


@dataclass(frozen=True, slots=True)
class TiffEntry:
    """An entry of a directory: its tag, type and count, and the place of its inline value or offset in the data."""

    tag: int
    kind: int
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The byte order of a TIFF, as in `struct`, and the format of its offsets."""

    order: str
    offset: str


def first_directory(data: bytes) -> Mapping[int, int]:
    """Return the integers of a TIFF's first directory, BigTIFF included: tag to first value.

    Raises `struct.error` if the data end before the directory does, `ValueError` if they are not TIFF.
    """
    layout = layout_of(data)
    return integers(data, layout, entries(data, layout))


def layout_of(data: bytes) -> Layout:
    """Return the layout of a TIFF; raises `ValueError` if the data are not TIFF, `struct.error` if they are cut."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version not in {42, 43}:
        raise ValueError("no TIFF version")
    return Layout(order, "Q" if version == 43 else "I")


def entries(data: bytes, layout: Layout) -> Iterator[TiffEntry]:
    """Yield the entries of the first directory with their values; raises `struct.error` at the end of cut data."""
    order, offset = layout.order, layout.offset
    is_big = offset == "Q"
    (at,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
    if at > len(data):
        # Offsets of 64 bits may be larger than `struct` takes.
        raise struct.error("the directory lies beyond the data")
    count_format = order + ("Q" if is_big else "H")
    (count,) = struct.unpack_from(count_format, data, at)
    entry = struct.Struct(order + "HH" + 2 * offset)
    value_at = struct.calcsize(order + "HH" + offset)
    at += struct.calcsize(count_format)
    for _ in range(min(count, _MOST_ENTRIES)):
        tag, kind, length, _ = entry.unpack_from(data, at)
        yield TiffEntry(tag, kind, length, at + value_at)
        at += entry.size


def integers(data: bytes, layout: Layout, found: Iterable[TiffEntry]) -> dict[int, int]:
    """Return the single integers among entries: tag to value."""
    formats = {_SHORT: layout.order + "H", _LONG: layout.order + "I", _LONG_8: layout.order + "Q"}
    values: dict[int, int] = {}
    for entry in found:
        if entry.kind in formats and entry.count == 1:
            values.setdefault(entry.tag, struct.unpack_from(formats[entry.kind], data, entry.at)[0])
    return values


def text(data: bytes, layout: Layout, entry: TiffEntry) -> bytes:
    """Return the text of an entry, at most 64 bytes of it; b"" if it is no text or lies beyond the data."""
    if entry.kind != _ASCII:
        return b""
    offset_format = layout.order + layout.offset
    at = entry.at
    if entry.count > struct.calcsize(offset_format):
        (at,) = struct.unpack_from(offset_format, data, at)
    return data[at : at + min(entry.count, _LONGEST_TEXT_BYTES)]


def orientation_of_exif(block: bytes) -> int | None:
    """Return the orientation tag of an EXIF block, with or without its `Exif` preamble; None if there is none."""
    try:
        return first_directory(block.removeprefix(b"Exif\x00\x00")).get(ORIENTATION)
    except (struct.error, ValueError):
        return None
