"""The headers of a part of a form: its name, its filename, its type and its length (RFC 7578).

Filenames are labels, so that an unusual spelling of a filename is read or repaired, never refused.
"""

import binascii
import quopri
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

from app.errors import MalformedRequestError, UnsupportedMediaTypeError
from app.media.text import codec_named
from app.media.types import parameters_of

MAX_HEADER_BYTES = 8_192
MAX_HEADERS = 16

_LINE_END = b"\r\n"
_PADDING = b" \t"
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r]*)")
_PARAMETER = re.compile(rb';[ \t]*([^=;\s"]+)[ \t]*=[ \t]*("(?:\\.|[^"\\])*"|[^;]*)')
# RFC 8187: charset, language, and bytes with percent escapes. Some clients put the value in quotes.
_EXTENDED = re.compile(rb"([!#$%&+^_`{}~0-9A-Za-z-]+)'[^']*'((?:[^%\"\s]|%[0-9A-Fa-f]{2})+)")
# RFC 2047, as .NET and Spring write names that are not ASCII.
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")
_ENCODED_WORDS = re.compile(rb"(?:\s*" + _ENCODED_WORD.pattern + rb")+\s*")
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:)?\\")
_LONGEST_CACHED_BYTES = 256
_LONGEST_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class PartHead:
    """The headers before a part's data. `filename` is None for a field; a file may have an empty filename."""

    name: str
    filename: str | None
    content_type: str | None
    content_length: int | None


def part_head(lines: bytes) -> PartHead:
    """Return the headers of a part. Raises MalformedRequestError, and UnsupportedMediaTypeError for a nested form."""
    # The same few fields are in every form. Only short headers are cached, so that the cache stays small.
    return _cached_part_head(lines) if len(lines) <= _LONGEST_CACHED_BYTES else _read_part_head(lines)


def headers_too_large() -> MalformedRequestError:
    """Return the error for a part with too many headers or a header that is too long."""
    return MalformedRequestError(
        f"A part has more than {MAX_HEADERS} headers, or a header of more than {MAX_HEADER_BYTES} bytes."
    )


def _read_part_head(lines: bytes) -> PartHead:
    headers = _headers(lines)
    disposition = headers.get(b"content-disposition", b"")
    kind, options = parse_options_header(disposition)
    name = options.get(b"name", b"")
    if kind != b"form-data" or not name:
        raise MalformedRequestError('A part has no Content-Disposition: form-data with a name="..."')
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in {b"binary", b"8bit", b"7bit"}:
        raise MalformedRequestError("A part has a Content-Transfer-Encoding; send its bytes as they are.")
    content_type = headers.get(b"content-type")
    return PartHead(
        name=_name(name).removesuffix("[]"),
        filename=_filename(options.get(b"filename"), disposition),
        content_type=None if content_type is None else _content_type(content_type.decode("latin-1")),
        content_length=_length(headers.get(b"content-length")),
    )


_cached_part_head = lru_cache(maxsize=1_024)(_read_part_head)


def _headers(lines: bytes) -> Mapping[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    found = lines.split(_LINE_END) if lines else []
    if len(found) > MAX_HEADERS:
        raise headers_too_large()
    for line in found:
        if len(line) > MAX_HEADER_BYTES:
            raise headers_too_large()
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _malformed(line)
        headers[header[1].lower()] = header[2].rstrip(_PADDING)
    return headers


def _malformed(line: bytes) -> MalformedRequestError:
    if line[:1] in {b" ", b"\t"}:
        return MalformedRequestError("A part has a folded header; write each header in one line.")
    name = line.partition(b":")[0].decode("latin-1")[:_LONGEST_SHOWN_CHARS]
    return MalformedRequestError(
        f"A part has a malformed header line, which begins with {name!r}; write it as 'Name: value', without a space "
        "before the colon, and end the headers with an empty line."
    )


def _name(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError("A part's name is not UTF-8.") from error


def _content_type(value: str) -> str:
    if value.lower().startswith("multipart/mixed") and "boundary" in parameters_of(value):
        raise UnsupportedMediaTypeError(
            "A part is multipart/mixed, a form within the form. Send each file as a part of its own named 'file' "
            "(curl: repeat -F file=@..., without a comma between names)."
        )
    return value


def _filename(plain: bytes | None, disposition: bytes) -> str | None:
    """Return the filename: `filename*` if it is valid, else `filename`; None without either."""
    extended = _extended(disposition) if b"*" in disposition else None
    if extended is None and plain is None:
        return None
    name = extended if extended is not None else _plain_filename(plain or b"")
    # Old clients send the path of the file, on a drive or on a server (UNC).
    return re.split(r"[\\/]", name)[-1] if _WINDOWS_PATH.match(name) else name


def _extended(disposition: bytes) -> str | None:
    for parameter in _PARAMETER.finditer(disposition):
        if parameter[1].lower() == b"filename*":
            value = _EXTENDED.fullmatch(parameter[2].strip(b' \t"'))
            return None if value is None else _decoded(unquote_to_bytes(value[2]), value[1])
    return None


def _plain_filename(value: bytes) -> str:
    words = _encoded_words(value) if value.lstrip().startswith(b"=?") else None
    if words is not None:
        return words
    # Browsers escape characters that would end the quoted string (HTML standard, multipart/form-data encoding).
    name = value.decode("utf-8", "replace")
    return name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")


def _encoded_words(value: bytes) -> str | None:
    if not _ENCODED_WORDS.fullmatch(value):
        return None
    pieces: list[tuple[bytes, bytes]] = []
    for word in _ENCODED_WORD.finditer(value):
        charset, encoding, text = word[1].lower(), word[2].lower(), word[3]
        try:
            data = b64decode(text, validate=True) if encoding == b"b" else quopri.decodestring(text, header=True)
        except binascii.Error:
            return None
        # A long name may be cut within a character.
        if pieces and pieces[-1][0] == charset:
            data = pieces.pop()[1] + data
        pieces.append((charset, data))
    texts = [_decoded(data, charset) for charset, data in pieces]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _decoded(data: bytes, charset: bytes) -> str | None:
    codec = codec_named(charset.decode("latin-1"))
    try:
        return None if codec is None else data.decode(codec)
    except UnicodeDecodeError:
        return None


def _length(value: bytes | None) -> int | None:
    # Some clients state -1 for an unknown length, which claims nothing.
    if value is None or value == b"-1":
        return None
    if not value.isdigit() or len(value) > 15:
        raise MalformedRequestError("A part's Content-Length is not a number of bytes.")
    return int(value)
