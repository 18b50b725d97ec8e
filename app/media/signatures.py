"""Magic numbers: from the first bytes of a file to the MIME type that they prove.

Each rule looks at bytes only; declarations and refusals are the business of `sniff`. Supported types are spelled as in
the supported list; other formats get their usual name, so that a refusal can name them. Formats whose magic is plain
ASCII are matched with enough of their header that prose does not look like them.
"""

import re
import struct

from app.media.raw_photos import RAW_PHOTO, raw_photo_type
from app.media.sound_signatures import asf_type, frames_type
from app.media.text import UTF_8, looks_like_text

# The bytes that the rules look at, except those of sound and of TIFF.
PROBE_BYTES = 4_096

_PDF_WINDOW_BYTES = 1024

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"{\\rtf", "text/rtf"),
    # Known formats, refused by name.
    (b"\x7fELF", "application/x-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/x-mach-binary"),
    (b"\x00asm\x01\x00\x00\x00", "application/wasm"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"FUJIFILMCCD-RAW ", RAW_PHOTO),
    (b"IIU\x00", RAW_PHOTO),
    (b"IIRO\x08\x00\x00\x00", RAW_PHOTO),
    (b"IIRS\x08\x00\x00\x00", RAW_PHOTO),
    (b"MMOR\x00\x00\x00\x08", RAW_PHOTO),
    (b"FOVb\x00", RAW_PHOTO),
    (b"\x00MRM", RAW_PHOTO),
    (b"8BPS\x00\x01", "image/vnd.adobe.photoshop"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b".snd\x00", "audio/basic"),
    (b"caff\x00", "audio/x-caf"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
)

# Letters only: prose may begin with them too, so they count only before bytes that are not text.
_WORD_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"ADIF", "audio/aac"),
    (b"#!AMR", "audio/amr"),
)

# The brands of ISO base media files (`ftyp`).
_BRANDS: tuple[tuple[bytes, str], ...] = (
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"heim", "image/heic"),
    (b"heis", "image/heic"),
    (b"hevc", "image/heic"),
    (b"hevx", "image/heic"),
    (b"hevm", "image/heic"),
    (b"hevs", "image/heic"),
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"avio", "image/avif"),
    (b"jpeg", "image/heif"),
    (b"jpgs", "image/heif"),
    (b"avci", "image/avci"),
    (b"avcs", "image/avci"),
    (b"j2ki", "image/hej2k"),
    (b"j2is", "image/hej2k"),
    (b"vvic", "image/vvic"),
    (b"vvis", "image/vvic"),
    (b"evbi", "image/evic"),
    (b"evbs", "image/evic"),
    (b"evmi", "image/evic"),
    (b"evms", "image/evic"),
    (b"crx ", "image/x-canon-cr3"),
    (b"qt  ", "video/quicktime"),
    (b"M4A ", "audio/m4a"),
    (b"M4B ", "audio/m4a"),
    (b"M4P ", "audio/m4a"),
    (b"3g", "video/3gpp"),
)
_GENERAL_PICTURE_BRANDS = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"})
# Films that hold pictures too. A file of an unknown major brand that lists a picture's brand is a picture.
_FILM_BRANDS = (b"iso", b"mp4", b"avc1", b"M4V", b"dash", b"cmf", b"msdh", b"MSNV", b"F4V", b"f4v", b"mmp4", b"MP4")
_OLD_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"pnot", b"free", b"skip")

_RIFF_FORMS = {b"WAVE": "audio/wav", b"AVI ": "video/avi", b"WEBP": "image/webp"}
_OGG_CODECS: tuple[tuple[bytes, str], ...] = (
    (b"OpusHead", "audio/opus"),
    (b"\x80theora", "video/ogg"),
    (b"fishead\x00", "video/ogg"),
)
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_ZIP_CONTENTS: tuple[tuple[bytes, str], ...] = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"[Content_Types].xml", "application/vnd.openxmlformats-officedocument"),
    (b"application/epub+zip", "application/epub+zip"),
    (b"application/vnd.oasis.opendocument", "application/vnd.oasis.opendocument"),
)

# Its alternatives begin differently and nothing follows them, so the pattern never backtracks.
_MARKUP_PREAMBLE = re.compile(rb"(?:\s|<\?[^>]*>|<!--(?:[^-]|-(?!->))*-->|<!doctype\s+svg[^>]*>)*", re.IGNORECASE)
_HTML_START = re.compile(rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_SVG_START = re.compile(rb"<(?:svg:)?svg[\s>]", re.IGNORECASE)


def match_signature(head: bytes) -> str | None:
    """Return the MIME type that the first bytes of a file prove, or None.

    Three types are made exact by `hints.complete`: TAGGED_SOUND, ASF and image/tiff.
    """
    probe = head[:PROBE_BYTES]
    for prefix, mime_type in _PREFIXES:
        if probe.startswith(prefix):
            return mime_type
    for prefix, mime_type in _WORD_PREFIXES:
        if probe.startswith(prefix) and not _is_text(probe):
            return mime_type
    # TIFF directories and frames of sound may follow long headers.
    found = asf_type(head) or _tiff(head)
    if found is not None:
        return found
    for rule in (_iso_media, _riff, _iff, _ogg, _matroska, _bitmap, _icon, _pdf, _transport_stream):
        found = rule(probe)
        if found is not None:
            return found
    return frames_type(head) or _archive(probe) or _markup(probe)


def _iso_media(head: bytes) -> str | None:
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if kind in _OLD_QUICKTIME_BOXES and (size in {0, 1} or 8 <= size < 1 << 30) and not head[:4].isalnum():
        return "video/quicktime"
    if kind != b"ftyp" or not 12 <= size <= 4096:
        return None
    brands = [head[at : at + 4] for at in range(8, min(size, len(head)), 4)]
    major, compatible = (brands[0] if brands else b""), brands[2:]
    named = _brand_type(major)
    if named is not None:
        return named
    if not _GENERAL_PICTURE_BRANDS.intersection({major, *compatible}) or major.startswith(_FILM_BRANDS):
        return "video/mp4"
    # A minimized picture has its codec's brand in place of the minor version.
    names = [_brand_type(brand) for brand in (brands[1:2] if major == b"mif3" else []) + compatible]
    pictures = [name for name in names if name is not None and name.startswith("image/")]
    return "image/heic" if "image/heic" in pictures else pictures[0] if pictures else "image/heif"


def _brand_type(brand: bytes) -> str | None:
    return next((name for prefix, name in _BRANDS if brand.startswith(prefix)), None)


def _riff(head: bytes) -> str | None:
    return _RIFF_FORMS.get(head[8:12]) if head[:4] in {b"RIFF", b"RF64", b"BW64"} else None


def _iff(head: bytes) -> str | None:
    return "audio/aiff" if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"} else None


def _ogg(head: bytes) -> str | None:
    if not head.startswith(b"OggS\x00"):
        return None
    # The first packet of the first page begins after the segment table (RFC 3533, section 6).
    packet = head[27 + head[26] :] if len(head) > 26 else b""
    return next((name for magic, name in _OGG_CODECS if packet.startswith(magic)), "audio/ogg")


def _matroska(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    doc_type_at = head.find(b"\x42\x82", 0, 128)
    return "video/webm" if doc_type_at > 0 and b"webm" in head[doc_type_at : doc_type_at + 14] else "video/x-matroska"


def _bitmap(head: bytes) -> str | None:
    if not head.startswith(b"BM") or len(head) < 18:
        return None
    reserved, _, header_size = struct.unpack_from("<III", head, 6)
    return "image/bmp" if header_size in _BMP_HEADER_SIZES and reserved == 0 else None


def _tiff(head: bytes) -> str | None:
    if not head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return None
    return raw_photo_type(head) or "image/tiff"


def _icon(head: bytes) -> str | None:
    if not head.startswith(b"\x00\x00\x01\x00") or len(head) < 22:
        return None
    (count,), (first_at,) = struct.unpack_from("<H", head, 4), struct.unpack_from("<I", head, 18)
    return "image/x-icon" if count and first_at == 6 + 16 * count else None


def _pdf(head: bytes) -> str | None:
    at = head.find(b"%PDF-", 0, _PDF_WINDOW_BYTES)
    if at < 0:
        return None
    # Readers accept a PDF after junk, but text about PDF has the same letters somewhere inside.
    is_at_start = not head[:at].strip(b"\xef\xbb\xbf\r\n\t \x00")
    return "application/pdf" if is_at_start or not _is_text(head) else None


def _is_text(head: bytes) -> bool:
    return looks_like_text(head, UTF_8, is_whole=False, allows_controls=False)


def _transport_stream(head: bytes) -> str | None:
    return "video/mp2t" if len(head) > 4 * 188 and set(head[::188]) == {0x47} and not _is_text(head) else None


def _archive(head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((name for mark, name in _ZIP_CONTENTS if mark in head), "application/zip")
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "application/x-bzip2"
    if head.startswith(b"MZ") and b"\x00" in head[:64]:
        return "application/vnd.microsoft.portable-executable"
    return None


def _markup(head: bytes) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf")
    preamble = _MARKUP_PREAMBLE.match(start)
    body = start[preamble.end() :] if preamble is not None else start
    if _SVG_START.match(body):
        return "image/svg+xml"
    if _HTML_START.match(body):
        return "text/html"
    return "text/xml" if start.lstrip().startswith(b"<?xml ") else None
