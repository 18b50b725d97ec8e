"""Which kind of medium a MIME type names, and which kinds the first bytes can be.

Knows signatures only, decodes nothing. A container that can hold sound as well as film counts as both.
"""

from enum import StrEnum


class Kind(StrEnum):
    """The kinds of media that a prompt can hold."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    TEXT = "text"


_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/javascript",
        "application/x-javascript",
        "application/typescript",
        "application/x-typescript",
        "application/x-python",
        "application/x-python-code",
        "application/xml",
        "application/rtf",
        "application/x-rtf",
        "application/yaml",
        "application/x-yaml",
        "application/x-ndjson",
        "application/x-ipynb+json",
    }
)
_HEADERLESS_TYPES = frozenset({"audio/l16", "audio/pcm", "audio/alaw", "audio/mulaw"})

_SOUND_AND_FILM = frozenset({Kind.AUDIO, Kind.VIDEO})
_STARTS: tuple[tuple[bytes, frozenset[Kind]], ...] = (
    (b"\x89PNG\r\n\x1a\n", frozenset({Kind.IMAGE})),
    (b"\xff\xd8\xff", frozenset({Kind.IMAGE})),
    (b"%PDF-", frozenset({Kind.DOCUMENT})),
    (b"GIF8", frozenset({Kind.IMAGE})),
    (b"BM", frozenset({Kind.IMAGE})),
    (b"II*\x00", frozenset({Kind.IMAGE})),
    (b"MM\x00*", frozenset({Kind.IMAGE})),
    (b"ID3", frozenset({Kind.AUDIO})),
    (b"fLaC", frozenset({Kind.AUDIO})),
    (b"#!AMR", frozenset({Kind.AUDIO})),
    (b"OggS", _SOUND_AND_FILM),
    (b"\x1aE\xdf\xa3", _SOUND_AND_FILM),
    (b"0&\xb2u\x8ef\xcf\x11", _SOUND_AND_FILM),
    (b"FLV\x01", frozenset({Kind.VIDEO})),
    (b"\x00\x00\x01\xba", frozenset({Kind.VIDEO})),
    (b"\x00\x00\x01\xb3", frozenset({Kind.VIDEO})),
)
_RIFF_FORMS = {
    b"WEBP": frozenset({Kind.IMAGE}),
    b"WAVE": frozenset({Kind.AUDIO}),
    b"AVI ": frozenset({Kind.VIDEO}),
}
_PICTURE_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1", b"avif", b"avis"})
_FILM_ATOMS = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_TRANSPORT_PACKET = 188
_TEXT_HEAD = 4096


def essence_of(mime_type: str) -> str:
    """Strip parameters and case from a MIME type."""
    return mime_type.split(";", 1)[0].strip().lower()


def kind_of(mime_type: str) -> Kind | None:
    """Return the kind of a MIME type; None for types that no prompt accepts."""
    essence = essence_of(mime_type)
    family = essence.split("/", 1)[0]
    if essence == "application/pdf":
        return Kind.DOCUMENT
    if family == "text" or essence in _TEXT_TYPES:
        return Kind.TEXT
    if family in {Kind.IMAGE, Kind.AUDIO, Kind.VIDEO}:
        return Kind(family)
    return None


def can_be(data: bytes, mime_type: str) -> bool:
    """Return whether a file with these first bytes can be of the kind of its MIME type.

    Containers of one kind are not distinguished: a JPEG declared as PNG is still a picture. Types of no known kind, and
    sound without a header, can be any bytes except none.
    """
    kind = kind_of(mime_type)
    if not data:
        return False
    if kind is None or essence_of(mime_type) in _HEADERLESS_TYPES:
        return True
    if kind is Kind.DOCUMENT:
        return b"%PDF-" in data[:1024]
    if kind is Kind.TEXT:
        return not kinds_of(data) and _is_text(data)
    return kind in kinds_of(data)


def kinds_of(data: bytes) -> frozenset[Kind]:
    """Return the kinds that match the first bytes; empty for text and unknown bytes."""
    for start, kinds in _STARTS:
        if data.startswith(start):
            return kinds
    return _kinds_of_chunks(data) or _kinds_of_frames(data)


def _kinds_of_chunks(data: bytes) -> frozenset[Kind]:
    """Look for containers whose type stands behind a length: RIFF, AIFF, MP4, HEIF, QuickTime."""
    if data[:4] in {b"RIFF", b"RF64"}:
        return _RIFF_FORMS.get(data[8:12], frozenset())
    if data[:4] == b"FORM" and data[8:12] in {b"AIFF", b"AIFC"}:
        return frozenset({Kind.AUDIO})
    if data[4:8] == b"ftyp" and data[8:12] in _PICTURE_BRANDS:
        return frozenset({Kind.IMAGE})
    return _SOUND_AND_FILM if data[4:8] in _FILM_ATOMS else frozenset()


def _kinds_of_frames(data: bytes) -> frozenset[Kind]:
    """Look for streams that begin with a frame at once: MPEG audio, ADTS, MPEG transport streams."""
    is_byte_order_mark = data[:2] == b"\xff\xfe"
    if data[:1] == b"\xff" and data[1:2] >= b"\xe0" and data[1:2] != b"\xff" and not is_byte_order_mark:
        return frozenset({Kind.AUDIO})
    if data[:1] == b"G" and data[_TRANSPORT_PACKET : _TRANSPORT_PACKET + 1] == b"G":
        return frozenset({Kind.VIDEO})
    return frozenset()


def _is_text(data: bytes) -> bool:
    is_utf_16 = data[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return is_utf_16 or (b"\x00" not in data[:_TEXT_HEAD] and not data.startswith(b"\x7fELF"))
