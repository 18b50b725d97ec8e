"""Raw photos: files of cameras in a TIFF wrapper, whose first picture is often a small preview.

Known by the entries of their first directory, and by the claim or the extension, since the directory of a TIFF may lie
anywhere in the file.
"""

import struct
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from app.media.facts import tiff

# Extension -> MIME type and the format's name.
_FORMATS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dng": ("image/x-adobe-dng", "DNG"),
        "nef": ("image/x-nikon-nef", "Nikon NEF"),
        "nrw": ("image/x-nikon-nrw", "Nikon NRW"),
        "arw": ("image/x-sony-arw", "Sony ARW"),
        "sr2": ("image/x-sony-sr2", "Sony SR2"),
        "pef": ("image/x-pentax-pef", "Pentax PEF"),
        "iiq": ("image/x-phaseone-iiq", "Phase One IIQ"),
        "cr2": ("image/x-canon-cr2", "Canon CR2"),
        "3fr": ("image/x-hasselblad-3fr", "Hasselblad 3FR"),
        "fff": ("image/x-hasselblad-fff", "Hasselblad FFF"),
        "srw": ("image/x-samsung-srw", "Samsung SRW"),
        "erf": ("image/x-epson-erf", "Epson ERF"),
        "mef": ("image/x-mamiya-mef", "Mamiya MEF"),
        "mos": ("image/x-leaf-mos", "Leaf MOS"),
        "dcr": ("image/x-kodak-dcr", "Kodak DCR"),
        "kdc": ("image/x-kodak-kdc", "Kodak KDC"),
        "rwl": ("image/x-leica-rwl", "Leica RWL"),
    }
)
RAW_PHOTO = "image/x-dcraw"
# MIME type -> the format's name, for refusals.
NAMES: Mapping[str, str] = MappingProxyType(dict(_FORMATS.values()) | {RAW_PHOTO: "camera raw"})

_MAKERS = ((b"NIKON", "nef"), (b"SONY", "arw"), (b"PENTAX", "pef"), (b"RICOH", "pef"), (b"Phase One", "iiq"))
# Values of TIFF tags that only raw samples have: the cameras' own compressions, and the sensor's colour filters.
_RAW_COMPRESSIONS = frozenset({32_767, 34_713, 65_000, 65_535})
_RAW_COLOURS = frozenset({32_803, 34_892})


def raw_photo_type(head: bytes) -> str | None:
    """Return the MIME type of the raw photo that a TIFF's first bytes prove, or None."""
    if head[8:10] == b"CR":
        return _FORMATS["cr2"][0]
    if head[8:12] in {b"IIII", b"MMMM"}:
        return _FORMATS["iiq"][0]
    try:
        layout = tiff.layout_of(head)
    except (struct.error, ValueError):
        return None
    found: list[tiff.TiffEntry] = []
    with suppress(struct.error):
        # The entries before a cut count too.
        found.extend(tiff.entries(head, layout))
    values = tiff.integers(head, layout, found)
    tags = {entry.tag for entry in found}
    if tiff.DNG_VERSION in tags:
        return _FORMATS["dng"][0]
    is_preview = values.get(tiff.SUBFILE_TYPE, 0) & 1 and tiff.SUB_DIRECTORIES in tags
    has_raw_samples = values.get(tiff.COMPRESSION) in _RAW_COMPRESSIONS or values.get(tiff.PHOTOMETRIC) in _RAW_COLOURS
    if not is_preview and not has_raw_samples:
        return None
    maker = next((tiff.text(head, layout, entry) for entry in found if entry.tag == tiff.MAKE), b"")
    return next((_FORMATS[kind][0] for name, kind in _MAKERS if maker.startswith(name)), RAW_PHOTO)


def raw_photo_named(claim: str | None, extension: str) -> str | None:
    """Return the MIME type of the raw photo that a TIFF's claim or extension names, or None."""
    named = (claim or "").removeprefix("image/").rpartition("-")[2]
    for kind in (named if claim is not None and claim.startswith("image/") else "", extension):
        if kind in _FORMATS:
            return _FORMATS[kind][0]
    return RAW_PHOTO if named in {"raw", "dcraw"} else None
