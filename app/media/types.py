"""The media types that Gemini accepts: the closed list, its kinds, and other spellings of them.

Pure tables and look-ups, without bytes (see `sniff`) and without HTTP. The list is that of the API reference's "Media
facts", with the formats of its newer surfaces.
"""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType


class MediaKind(Enum):
    """The kind of a file for a model; it decides costs and limits."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    TEXT = "text"


_TYPES: Mapping[MediaKind, tuple[str, ...]] = MappingProxyType(
    {
        MediaKind.IMAGE: (
            "image/png",
            "image/jpeg",
            "image/webp",
            "image/heic",
            "image/heif",
            "image/gif",
            "image/bmp",
            "image/tiff",
        ),
        MediaKind.AUDIO: (
            "audio/wav",
            "audio/mpeg",
            "audio/aiff",
            "audio/aac",
            "audio/ogg",
            "audio/flac",
            "audio/m4a",
            "audio/opus",
            "audio/webm",
            "audio/l16",
            "audio/alaw",
            "audio/mulaw",
        ),
        MediaKind.VIDEO: (
            "video/mp4",
            "video/mpeg",
            "video/quicktime",
            "video/avi",
            "video/x-flv",
            "video/webm",
            "video/wmv",
            "video/3gpp",
        ),
        MediaKind.DOCUMENT: ("application/pdf",),
        MediaKind.TEXT: (
            "text/plain",
            "text/html",
            "text/css",
            "text/csv",
            "text/xml",
            "text/rtf",
            "text/markdown",
            "text/javascript",
            "text/x-python",
            "application/json",
        ),
    }
)

# Every MIME type that a file may have, in the order in which an error lists them.
SUPPORTED: tuple[str, ...] = tuple(mime_type for types in _TYPES.values() for mime_type in types)

# Sound without a header: recognised only by its declaration, which gives the rate.
HEADERLESS: frozenset[str] = frozenset({"audio/l16", "audio/alaw", "audio/mulaw"})

_KINDS: Mapping[str, MediaKind] = MappingProxyType(
    {mime_type: kind for kind, types in _TYPES.items() for mime_type in types}
)

# Other names for a listed type, used by people, browsers and libraries.
_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "image/png": "image/x-png image/apng image/vnd.mozilla.apng",
        "image/jpeg": "image/jpg image/jpe image/jfif image/pjpeg image/x-jpeg image/x-jpg image/x-citrix-jpeg",
        "image/webp": "image/x-webp",
        "image/heic": "image/heic-sequence image/x-heic",
        "image/heif": "image/heif-sequence image/x-heif",
        "image/gif": "image/x-gif",
        "image/bmp": "image/x-bmp image/ms-bmp image/x-ms-bmp image/x-windows-bmp image/x-bitmap application/bmp",
        "image/tiff": "image/tif image/x-tif image/x-tiff",
        "audio/wav": "audio/x-wav audio/wave audio/x-wave audio/vnd.wave audio/x-pn-wav",
        "audio/mpeg": "audio/mp3 audio/x-mp3 audio/mpeg3 audio/x-mpeg-3 audio/x-mpeg audio/mpg audio/x-mpg audio/mpa",
        "audio/aiff": "audio/aif audio/x-aif audio/x-aiff audio/aifc audio/x-aifc",
        "audio/aac": "audio/x-aac audio/aacp audio/x-aacp audio/x-hx-aac-adts audio/vnd.dlna.adts",
        "audio/ogg": "audio/x-ogg audio/vorbis audio/x-vorbis audio/x-vorbis+ogg application/ogg application/x-ogg",
        "audio/opus": "audio/x-opus audio/x-opus+ogg audio/ogg_opus",
        "audio/flac": "audio/x-flac application/x-flac",
        "audio/m4a": "audio/x-m4a audio/mp4 audio/x-mp4 audio/mp4a-latm audio/m4b audio/x-m4b",
        "audio/webm": "audio/x-webm",
        # Google's own L16 and PCM are the same samples under two names.
        "audio/l16": "audio/pcm audio/x-pcm audio/raw audio/x-raw audio/x-l16",
        "audio/alaw": "audio/x-alaw audio/pcma audio/g711-alaw audio/x-alaw-basic",
        "audio/mulaw": "audio/x-mulaw audio/ulaw audio/x-ulaw audio/pcmu audio/g711-mulaw audio/basic",
        "video/mp4": "video/x-mp4 video/x-m4v video/m4v application/mp4 video/mpeg4",
        "video/mpeg": "video/mpg video/x-mpg video/x-mpeg video/mpeg2 video/mpegps video/mpegs video/mp2p",
        "video/quicktime": "video/mov video/x-mov video/x-quicktime",
        "video/avi": "video/x-avi video/msvideo video/x-msvideo video/vnd.avi application/x-troff-msvideo",
        "video/x-flv": "video/flv flv-application/octet-stream",
        "video/webm": "video/x-webm",
        "video/wmv": "video/x-ms-wmv video/x-wmv video/x-ms-asf video/x-ms-wm application/vnd.ms-asf",
        "video/3gpp": "video/3gp video/3gpp2 video/3g2 video/x-3gp audio/3gpp audio/3gp audio/3gpp2",
        "application/pdf": "application/x-pdf application/acrobat applications/vnd.pdf text/pdf text/x-pdf",
        "text/html": "application/xhtml+xml",
        "text/csv": "text/x-csv application/csv application/x-csv text/comma-separated-values",
        "text/xml": "application/xml application/x-xml",
        "text/rtf": "application/rtf application/x-rtf text/richtext",
        "text/markdown": "text/md text/x-markdown text/x-md application/markdown",
        "text/javascript": "text/js text/x-javascript text/ecmascript application/javascript application/x-javascript "
        "application/ecmascript",
        "text/x-python": "text/python text/x-script.python application/x-python application/x-python-code",
        "application/json": "text/json text/x-json application/x-json",
        # Other names for text, most of them source code.
        "text/plain": "application/text application/txt application/typescript application/x-typescript "
        "application/yaml application/x-yaml application/toml application/x-toml application/sql application/x-sql "
        "application/graphql application/x-ndjson application/ndjson application/jsonl application/x-jsonlines "
        "application/x-sh application/x-shellscript application/x-csh application/x-perl application/x-ruby "
        "application/x-php application/x-httpd-php application/x-powershell application/x-tex application/x-latex "
        "application/x-subrip application/x-httpd-php-source application/x-rust application/x-go application/dart "
        "application/node application/x-lua application/x-tcl application/log application/x-log",
    }
)
_ALIASES: Mapping[str, str] = MappingProxyType(
    {spelling: mime_type for mime_type, spellings in _SPELLINGS.items() for spelling in spellings.split()}
)

# Declarations without meaning: "unknown", or the type of the request instead of the file.
_NO_DECLARATION = frozenset(
    {
        "application/octet-stream",
        "application/octetstream",
        "application/x-octet-stream",
        "binary/octet-stream",
        "application/binary",
        "application/unknown",
        "application/x-unknown",
        "application/x-unknown-content-type",
        "unknown/unknown",
        "application/download",
        "application/x-download",
        "application/force-download",
        "application/x-www-form-urlencoded",
    }
)

_EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        extension: mime_type
        for mime_type, extensions in {
            "text/html": "html htm xhtml",
            "text/css": "css",
            "text/csv": "csv",
            "text/xml": "xml xsd xsl xslt rss atom",
            "text/rtf": "rtf",
            "text/markdown": "md markdown mdown mkd",
            "text/javascript": "js mjs cjs",
            "text/x-python": "py pyi pyw",
            "application/json": "json geojson ipynb",
        }.items()
        for extension in extensions.split()
    }
)

_ESSENCE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")


class UnsupportedTypeError(Exception):
    """The file's type is not accepted by Gemini, or differs from the declared type.

    `reason` is a sentence for the client; `received` is the MIME type of the bytes, else the declared type, else None;
    `allowed` lists the types to choose from.
    """

    def __init__(self, reason: str, received: str | None, allowed: tuple[str, ...] = SUPPORTED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.received = received
        self.allowed = allowed


@lru_cache(maxsize=256)
def essence_of(declared: str | None) -> str | None:
    """Return the type and subtype of a Content-Type in lower case; None if it declares nothing.

    `application/octet-stream`, wildcards, `multipart/...`, a form's own type and invalid text declare nothing.
    """
    essence = (declared or "").partition(";")[0].strip().lower()
    if not _ESSENCE.fullmatch(essence) or essence in _NO_DECLARATION or essence.startswith("multipart/"):
        return None
    return essence


def parameters_of(declared: str | None) -> dict[str, str]:
    """Return a Content-Type's parameters, names in lower case, values without quotes; the first of a name counts."""
    parameters: dict[str, str] = {}
    for piece in (declared or "").split(";")[1:]:
        name, is_given, value = piece.partition("=")
        if is_given:
            parameters.setdefault(name.strip().lower(), value.strip().strip('"'))
    return parameters


@lru_cache(maxsize=256)
def canonical_mime_type(declared: str | None) -> str | None:
    """Return Gemini's name for a declared type: without parameters, in lower case, aliases resolved.

    Unlisted text and source code become `text/plain`. A type that is neither listed nor an alias is returned unchanged;
    None means no declaration (see `essence_of`).
    """
    essence = essence_of(declared)
    if essence is None or essence in _KINDS:
        return essence
    if essence in _ALIASES:
        return _ALIASES[essence]
    if essence.startswith("text/"):
        return "text/plain"
    if essence.startswith("application/"):
        return _structured_syntax(essence)
    return essence


def _structured_syntax(essence: str) -> str:
    if essence.endswith("+json"):
        return "application/json"
    if essence.endswith("+xml"):
        return "text/xml"
    if essence.endswith("+yaml"):
        return "text/plain"
    return essence


@lru_cache(maxsize=256)
def kind_of(mime_type: str) -> MediaKind | None:
    """Return the kind of a listed MIME type, with or without parameters; None for any other type."""
    return _KINDS.get(mime_type.partition(";")[0].strip().lower())


def claimed_kind(canonical: str) -> MediaKind | None:
    """Return the kind that a canonical type claims, listed or not: `image/x-icon` claims to be a picture."""
    listed = _KINDS.get(canonical)
    if listed is not None:
        return listed
    return {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}.get(
        canonical.partition("/")[0]
    )


def extension_of(filename: str | None) -> str:
    """Return the last extension of a filename in lower case, without its dot; "" if there is none."""
    # Backslashes separate folders too, because some browsers send a Windows path.
    return PurePosixPath((filename or "").replace("\\", "/")).suffix[1:].lower()


def text_type_of_name(filename: str | None) -> str:
    """Return the text type that a filename's extension suggests, `text/plain` if it suggests none."""
    # This is the weakest hint: it only distinguishes kinds of text.
    return _EXTENSIONS.get(extension_of(filename), "text/plain")
