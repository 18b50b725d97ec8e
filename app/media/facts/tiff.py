"""TIFF directories, the structure of TIFF files and EXIF blocks. Only short integer values are read."""

import struct
from collections.abc import Mapping

WIDTH, HEIGHT, ORIENTATION = 256, 257, 274

_MOST_ENTRIES = 1000
_SHORT, _LONG, _LONG_8 = 3, 4, 16


def first_directory(data: bytes) -> Mapping[int, int]:
    """Return the integers of a TIFF's first directory, BigTIFF included: tag to first value.

    Raises `struct.error` if the data end before the directory, `ValueError` if they are not TIFF.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        (at,) = struct.unpack_from(order + "Q", data, 8)
        return _entries(data, at + 8, struct.unpack_from(order + "Q", data, at)[0], order, "Q")
    if version != 42:
        raise ValueError("no TIFF version")
    (at,) = struct.unpack_from(order + "I", data, 4)
    return _entries(data, at + 2, struct.unpack_from(order + "H", data, at)[0], order, "I")


def _entries(data: bytes, start: int, count: int, order: str, offset_format: str) -> dict[int, int]:
    formats = {_SHORT: order + "H", _LONG: order + "I", _LONG_8: order + "Q"}
    head = struct.Struct(order + "HH" + offset_format)
    entry_bytes = head.size + struct.calcsize(order + offset_format)
    values: dict[int, int] = {}
    for at in range(start, start + min(count, _MOST_ENTRIES) * entry_bytes, entry_bytes):
        tag, kind, length = head.unpack_from(data, at)
        if kind in formats and length == 1:
            values.setdefault(tag, struct.unpack_from(formats[kind], data, at + head.size)[0])
    return values


def orientation_of_exif(block: bytes) -> int | None:
    """Return the orientation tag of an EXIF block, with or without its `Exif` preamble; None if there is none."""
    try:
        return first_directory(block.removeprefix(b"Exif\x00\x00")).get(ORIENTATION)
    except (struct.error, ValueError):
        return None
