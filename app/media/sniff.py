r"""The type of a file, decided from its first bytes, its declared type and its name, in this order.

    head --signature--> listed picture, sound, video, PDF --agrees with the declared kind--> Decision
                    \-> known, but not accepted --------------------------------------------> 415
                    \-> no match --text?--> Decision, unless it is declared a picture, sound, video or PDF

Within a kind the bytes win, and `has_mismatch` tells the caller to warn. Sound and video are one kind here, because
they share containers. This module knows neither HTTP nor Gemini.
"""

from dataclasses import dataclass

from app.media import mpeg_audio
from app.media.hints import TAGGED_SOUND, complete
from app.media.raw_photos import NAMES as RAW_PHOTOS
from app.media.signatures import PROBE_BYTES, match_signature
from app.media.text import UTF_8, charset_of, charset_of_mark, fault_of, looks_like_text, may_be_text
from app.media.types import (
    HEADERLESS,
    MediaKind,
    UnsupportedTypeError,
    canonical_mime_type,
    claimed_kind,
    essence_of,
    extension_of,
    kind_of,
    parameters_of,
    text_type_of_name,
)

# The number of bytes at a file's beginning that `decide` reads: zeros before the first frame of an MP3, and frames.
HEAD_BYTES = mpeg_audio.MAX_PADDING_BYTES + PROBE_BYTES

_NOUNS = {
    MediaKind.IMAGE: "picture",
    MediaKind.AUDIO: "sound",
    MediaKind.VIDEO: "video",
    MediaKind.DOCUMENT: "PDF",
    MediaKind.TEXT: "text",
}

# Formats that are recognised and refused, with an alternative.
_REFUSED = {
    "image/svg+xml": "an SVG drawing; send it as PNG, or declare text/xml to have its source read",
    "image/avif": "an AVIF picture; send it as PNG, JPEG or WebP",
    "image/jxl": "a JPEG XL picture; send it as PNG, JPEG or WebP",
    "image/jp2": "a JPEG 2000 picture; send it as PNG, JPEG or WebP",
    "image/x-icon": "an icon; send it as PNG",
    "image/vnd.adobe.photoshop": "a Photoshop file; export it as PNG or JPEG",
    "image/avci": "a HEIF picture in AVC; send it as PNG, JPEG or HEIC",
    "image/hej2k": "a HEIF picture in JPEG 2000; send it as PNG, JPEG or HEIC",
    "image/vvic": "a HEIF picture in VVC; send it as PNG, JPEG or HEIC",
    "image/evic": "a HEIF picture in EVC; send it as PNG, JPEG or HEIC",
    "image/x-canon-cr3": "a raw photo (Canon CR3); export it as JPEG",
    "audio/x-ms-wma": "WMA sound; convert it to WAV, MP3 or M4A",
    "audio/ac3": "AC-3 sound; convert it to WAV, MP3 or M4A",
    "audio/x-musepack": "Musepack sound; convert it to WAV, MP3 or M4A",
    "audio/x-ape": "Monkey's Audio; convert it to WAV, MP3 or M4A",
    "audio/x-tta": "True Audio; convert it to WAV, MP3 or M4A",
    "audio/x-wavpack": "WavPack sound; convert it to WAV, MP3 or M4A",
    "audio/amr": "AMR sound; convert it to WAV, MP3 or M4A",
    "audio/basic": "AU sound; convert it to WAV, MP3 or M4A",
    "audio/x-caf": "a Core Audio file; convert it to WAV, MP3 or M4A",
    "audio/midi": "MIDI notes, not sound; render it to WAV or MP3",
    "video/ogg": "Ogg video; convert it to MP4 or WebM",
    "video/mp2t": "an MPEG transport stream; remux it to MP4",
    "video/x-matroska": "a Matroska file; remux it to MP4 or WebM",
    "application/zip": "a ZIP archive; send the files inside it one by one",
    "application/vnd.openxmlformats-officedocument": "an Office document; export it as PDF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "a Word document; export it as PDF",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "an Excel workbook; export it as CSV or PDF",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "a presentation; export it as PDF",
    "application/vnd.oasis.opendocument": "an OpenDocument file; export it as PDF",
    "application/epub+zip": "an EPUB book; export it as PDF or HTML",
    "application/x-ole-storage": "an old Office document; export it as PDF",
    "application/gzip": "a gzip archive; send what is inside",
    "application/x-bzip2": "a bzip2 archive; send what is inside",
    "application/x-xz": "an xz archive; send what is inside",
    "application/zstd": "a Zstandard archive; send what is inside",
    "application/x-7z-compressed": "a 7-Zip archive; send what is inside",
    "application/vnd.rar": "a RAR archive; send what is inside",
    "application/vnd.sqlite3": "a SQLite database; export it as CSV",
    "application/x-executable": "a program",
    "application/x-mach-binary": "a program",
    "application/vnd.microsoft.portable-executable": "a program",
    "application/wasm": "a program",
    **{mime_type: f"a raw photo ({name}); export it as JPEG" for mime_type, name in RAW_PHOTOS.items()},
}

# Extensions of sound files in containers that may also hold video.
_SOUND_EXTENSIONS = frozenset({"m4a", "m4b", "m4r", "weba"})
# A desktop browser declares video for TypeScript files, because it knows only the extension.
_TYPESCRIPT_EXTENSIONS = frozenset({"ts", "mts", "cts"})


@dataclass(frozen=True, slots=True)
class Decision:
    """The type of a file.

    `mime_type` is on the supported list and is sent to Gemini; headerless sound keeps its rate and channels as
    parameters. `declared_mime_type` is the client's declaration without parameters, or None. `has_mismatch`: the bytes
    overruled the declaration. `charset` is a codec name for text, else None.
    """

    mime_type: str
    kind: MediaKind
    declared_mime_type: str | None
    has_mismatch: bool
    charset: str | None = None


def sniff(head: bytes) -> str | None:
    """Return the MIME type that a file's first bytes prove, supported or not, or None.

    At most `HEAD_BYTES` are read.
    """
    return complete(match_signature(head[:HEAD_BYTES]), None, "")


def decide(
    head: bytes, *, declared: str | None, filename: str | None, is_whole: bool, charset: str | None = None
) -> Decision:
    """Return the type of a file.

    `head` is its beginning, of which at most `HEAD_BYTES` are read; `declared` its Content-Type with parameters;
    `is_whole` says that `head` is the whole file; `charset` is the codec that the client names for a text apart from
    its Content-Type. Raises `UnsupportedTypeError` if Gemini does not accept the file, or
    if the bytes are of another kind than declared.
    """
    claim = canonical_mime_type(declared)
    found = _find(head[:HEAD_BYTES], claim, filename)
    is_whole = is_whole and len(head) <= PROBE_BYTES
    head = head[:PROBE_BYTES]
    if found is not None and kind_of(found) not in {None, MediaKind.TEXT}:
        return _media(found, claim, declared, filename)
    if found in _REFUSED and not (found == "image/svg+xml" and claim is not None and kind_of(claim) is MediaKind.TEXT):
        raise UnsupportedTypeError(f"The file is {_REFUSED[found]}.", found)
    if claim in HEADERLESS and not looks_like_text(head, UTF_8, is_whole=is_whole, allows_controls=False):
        return _headerless(claim, declared)
    return _text(head, claim, declared, filename, found, charset, is_whole=is_whole)


def _find(head: bytes, claim: str | None, filename: str | None) -> str | None:
    matched = match_signature(head)
    found = complete(matched, claim, extension_of(filename))
    if found is not None:
        return found
    if matched == TAGGED_SOUND:
        raise UnsupportedTypeError(
            f"The file begins with ID3 tags and shows no sound within its first {len(head)} bytes. Declare its type, "
            "for example audio/mpeg or audio/flac, or name it with its extension.",
            claim,
        )
    # Junk before the first frame, or before a PDF's header, is accepted if the declaration names the type.
    probe = head[:PROBE_BYTES]
    if claim == "audio/mpeg" and mpeg_audio.find_run(probe, mpeg_audio.parse_mpeg_frame) is not None:
        return claim
    if claim == "application/pdf" and b"%PDF-" in head[:1024]:
        return claim
    return None


def _family(kind: MediaKind | None) -> MediaKind | None:
    return MediaKind.VIDEO if kind is MediaKind.AUDIO else kind


def _media(found: str, claim: str | None, declared: str | None, filename: str | None) -> Decision:
    claimed = claimed_kind(claim) if claim is not None else None
    kind = kind_of(found)
    if claimed is not None and kind is not None and _family(claimed) is not _family(kind):
        raise UnsupportedTypeError(
            f"The file is declared as {claim} ({_NOUNS[claimed]}), but its bytes are {found} ({_NOUNS[kind]}).", found
        )
    mime_type = _sound_or_video(found, claim, filename)
    fits = claim is None or claim == mime_type or {claim, mime_type} == {"image/heic", "image/heif"}
    return Decision(mime_type, kind_of(mime_type) or MediaKind.VIDEO, essence_of(declared), not fits)


def _sound_or_video(found: str, claim: str | None, filename: str | None) -> str:
    """Return the type of a container that may hold sound or video, by the declaration or the name."""
    if found == "audio/opus":
        # An Ogg file. Every surface accepts the older of its two names.
        return found if claim == found else "audio/ogg"
    is_sound = (
        claimed_kind(claim) is MediaKind.AUDIO if claim is not None else extension_of(filename) in _SOUND_EXTENSIONS
    )
    return {"video/mp4": "audio/m4a", "video/webm": "audio/webm"}.get(found, found) if is_sound else found


def _headerless(claim: str, declared: str | None) -> Decision:
    """Return the type of raw samples by their declaration."""
    # The bytes contain no rate, so the declaration must; A-law and mu-law default to 8000 Hz.
    parameters = parameters_of(declared)
    rate, channels = parameters.get("rate", ""), parameters.get("channels", "1")
    if not rate and claim != "audio/l16":
        rate = "8000"
    if not _is_within(rate, 1000, 384_000) or not _is_within(channels, 1, 8):
        raise UnsupportedTypeError(
            f"Raw samples need a rate in Hz, and their number of channels if above one: {claim};rate=16000;channels=1.",
            declared,
        )
    suffix = f";channels={int(channels)}" if int(channels) > 1 else ""
    return Decision(f"{claim};rate={int(rate)}{suffix}", MediaKind.AUDIO, essence_of(declared), has_mismatch=False)


def _is_within(number: str, least: int, most: int) -> bool:
    return number.isascii() and number.isdigit() and len(number) <= 6 and least <= int(number) <= most


def _text(
    head: bytes,
    claim: str | None,
    declared: str | None,
    filename: str | None,
    found: str | None,
    named_charset: str | None,
    *,
    is_whole: bool,
) -> Decision:
    if claim == "video/mp2t" and extension_of(filename) in _TYPESCRIPT_EXTENSIONS:
        claim = "text/plain"
    claimed = claimed_kind(claim) if claim is not None else None
    if claimed not in {None, MediaKind.TEXT}:
        if kind_of(claim or "") is None:
            raise UnsupportedTypeError(f"Files of type {claim} are not supported.", claim)
        what = f"text ({found})" if found is not None else "of another kind"
        raise UnsupportedTypeError(f"The file is declared as {claim}, but its bytes are {what}.", found or claim)
    is_declared = claimed is MediaKind.TEXT
    charset = _charset(head, declared if is_declared else None, named_charset)
    if not looks_like_text(head, charset, is_whole=is_whole, allows_controls=is_declared):
        is_claimed = is_declared or named_charset is not None
        raise _no_text(head, charset, claim if is_declared else None, is_claimed=is_claimed, is_whole=is_whole)
    if is_declared and claim is not None:
        return Decision(claim, MediaKind.TEXT, essence_of(declared), has_mismatch=False, charset=charset)
    by_name = text_type_of_name(filename)
    mime_type = found if found is not None and by_name == "text/plain" else by_name
    return Decision(mime_type, MediaKind.TEXT, essence_of(declared), has_mismatch=claim is not None, charset=charset)


def _charset(head: bytes, declared: str | None, named: str | None) -> str:
    """Return the charset of a text: that of its byte order mark, else that which the client names, else UTF-8."""
    # If no text was declared, the parameter is meaningless (`application/octet-stream; charset=binary`).
    return charset_of_mark(head) or named or charset_of(declared)


def _no_text(head: bytes, charset: str, claim: str | None, *, is_claimed: bool, is_whole: bool) -> UnsupportedTypeError:
    if not is_claimed and not may_be_text(head):
        return UnsupportedTypeError("Unknown file type: its bytes match no known format.", None)
    declaration = "" if claim is None else f"The file is declared as {claim}, and its bytes match no other format. "
    return UnsupportedTypeError(declaration + fault_of(head, charset, is_whole=is_whole), claim)
