"""Boxes of the ISO base media format (ISO/IEC 14496-12): HEIC sizes, and durations of MP4, QuickTime and 3GPP.

Boxes are looked up by path, level by level: no recursion, and a bounded number of boxes per level.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from app.media.facts.pictures import Size

_MOST_BOXES = 4096
# The end of a file that is not whole here.
_ENDLESS = 1 << 64
_UNKNOWN_DURATIONS = frozenset({0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})


@dataclass(frozen=True, slots=True)
class Box:
    """A box's four-letter kind, and the start and end of its content (the end may lie beyond the data)."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, as far as the data go."""
    at = start
    for _ in range(_MOST_BOXES):
        if at + 8 > min(end, len(data)):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        elif size == 0:
            size = end - at
        if size < header:
            return
        yield Box(kind, at + header, min(at + size, end))
        at += size


def find(data: bytes, *path: bytes, within: Box | None = None) -> Box | None:
    """Return the first box at a path of kinds; None if the data do not contain it."""
    box = within or Box(b"", 0, len(data))
    for kind in path:
        found = next((inner for inner in boxes(data, box.start, box.end) if inner.kind == kind), None)
        if found is None:
            return None
        box = found
    return box


def movie_duration(data: bytes, is_whole: bool) -> float | None:
    """Return the duration in seconds in a movie header; None if it lies beyond the data or is not stated.

    A fragmented file, whose `moov` has an `mvex`, has the duration of its `mehd` alone.
    """
    end = len(data) if is_whole else _ENDLESS
    movie = next((box for box in boxes(data, 0, end) if box.kind == b"moov"), None)
    if movie is None:
        return None
    inside = list(boxes(data, movie.start, movie.end))
    header = next((box for box in inside if box.kind == b"mvhd"), None)
    # In a fragmented file the header counts the first fragment only. `mvex` is the last box of many movies, so a
    # movie cut before its end may be fragmented.
    extension = next((box for box in inside if box.kind == b"mvex"), None)
    if header is None or (extension is None and movie.end > len(data)):
        return None
    is_long = data[header.start] == 1
    scale, duration = struct.unpack_from(">IQ" if is_long else ">II", data, header.start + (20 if is_long else 12))
    if extension is not None:
        total = find(data, b"mehd", within=extension)
        if total is None:
            return None
        (duration,) = struct.unpack_from(">Q" if data[total.start] == 1 else ">I", data, total.start + 4)
    return None if duration in _UNKNOWN_DURATIONS else float(duration / scale)


def picture_size(data: bytes) -> Size:
    """Return the displayed size of a HEIF file's primary picture, with clipping and rotation applied.

    The EXIF orientation is ignored, as the format demands (ISO/IEC 23008-12): the boxes turn the picture. Raises
    `ValueError` or `struct.error` if the boxes are not in the data.
    """
    meta = find(data, b"meta")
    if meta is None:
        raise ValueError("no meta box")
    # `meta` is a full box: four bytes of version and flags precede its children.
    inside = Box(meta.kind, meta.start + 4, meta.end)
    primary = find(data, b"pitm", within=inside)
    container = find(data, b"iprp", b"ipco", within=inside)
    associations = find(data, b"iprp", b"ipma", within=inside)
    if primary is None or container is None or associations is None:
        raise ValueError("no primary picture")
    item_format = ">H" if data[primary.start] == 0 else ">I"
    (item,) = struct.unpack_from(item_format, data, primary.start + 4)
    properties = list(boxes(data, container.start, container.end))
    indices = [index for index in _properties_of(data, associations, item) if 0 < index <= len(properties)]
    return _displayed(data, [properties[index - 1] for index in indices])


def _properties_of(data: bytes, box: Box, item: int) -> list[int]:
    version, flags = data[box.start], data[box.start + 3]
    (count,) = struct.unpack_from(">I", data, box.start + 4)
    entry = struct.Struct(">HB" if version == 0 else ">IB")
    index_format, index_mask = (">H", 0x7FFF) if flags & 1 else (">B", 0x7F)
    index_bytes = struct.calcsize(index_format)
    at = box.start + 8
    for _ in range(min(count, _MOST_BOXES)):
        identifier, length = entry.unpack_from(data, at)
        at += entry.size
        if identifier == item:
            starts = range(at, at + length * index_bytes, index_bytes)
            return [struct.unpack_from(index_format, data, start)[0] & index_mask for start in starts]
        at += length * index_bytes
    return []


def _displayed(data: bytes, properties: list[Box]) -> Size:
    width, height = 0, 0
    for box in properties:
        if box.kind == b"ispe":
            width, height = struct.unpack_from(">II", data, box.start + 4)
        elif box.kind == b"clap":
            across, across_by, down, down_by = struct.unpack_from(">IIII", data, box.start)
            width, height = across // across_by, down // down_by
        elif box.kind == b"irot" and data[box.start] & 1:
            width, height = height, width
    return Size(width, height)
