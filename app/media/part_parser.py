"""The push parser of multipart/form-data (RFC 7578): pieces of a body in, headers and data of parts out.

    line that is no boundary ──> data
    boundary ──> headers, up to the empty line ──> data ──> boundary ──> ... ──> closing boundary ──> rest ignored

The parser searches instead of visiting each byte, and reads headers as a block. For a small form, python-multipart's
own parser, with a callback per word of a header, took a tenth of the whole call. An incomplete header or boundary is
held until the next piece, so the result never depends on where the network cut. This module does not know the meaning
of fields.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from python_multipart.multipart import parse_options_header

from app.errors import FieldError, InvalidFieldError, MalformedRequestError

MAX_HEADER_BYTES = 8_192
MAX_HEADERS = 16

# The event after a part's data.
PART_END = object()

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_CLOSING = b"--"
_PADDING = b" \t"
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r]*)")
_LONGEST_CACHED_BYTES = 256


@dataclass(frozen=True, slots=True)
class PartHead:
    """The headers before a part's data. `filename` is None for a field; a file may have an empty filename."""

    name: str
    filename: str | None
    content_type: str | None
    content_length: int | None


# A part's headers, a piece of its data, or `PART_END`.
Event = PartHead | memoryview | object


class PartParser:
    """Parses the pieces passed to `feed` into `events`; `is_ended` is true after the closing boundary."""

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        self.events: deque[Event] = deque()
        self.is_ended = False
        self._delimiter = _LINE_END + b"--" + boundary
        # A virtual line end before the body, so that the first boundary is found like every other.
        self._held = _LINE_END
        # A plain function, because a bound method would make a cycle that keeps a form's bytes until garbage
        # collection.
        self._read: Callable[[PartParser, bytes, int], int] = PartParser._read_data
        self._max_parts = max_parts
        self._parts = 0

    def feed(self, piece: bytes) -> None:
        """Parse a piece. Raises MalformedRequestError if it is no form, InvalidFieldError for too many parts."""
        data, self._held = self._held + piece, b""
        at = 0
        while at < len(data):
            at = self._read(self, data, at)

    # Each reader continues at a place in the data and returns the place at which the next reader continues.

    def _read_data(self, data: bytes, at: int) -> int:
        delimiter = self._delimiter
        found = data.find(delimiter, at)
        while found >= 0:
            after = found + len(delimiter)
            follows = data[after : after + 2]
            if follows in {_LINE_END, _CLOSING} or follows[:1] in {b" ", b"\t"}:
                self._give(data, at, found)
                if self._parts:
                    self.events.append(PART_END)
                return self._begin_part(after) if follows == _LINE_END else self._read_rest_of_line(data, after)
            if follows in {b"", b"\r", b"-"}:
                # The next piece decides whether this is a boundary.
                break
            found = data.find(delimiter, found + 1)
        else:
            found = self._unsure(data, at)
        self._give(data, at, found)
        self._held = data[found:]
        return len(data)

    def _unsure(self, data: bytes, at: int) -> int:
        # A boundary may have begun here: its first byte is its only carriage return.
        found = data.rfind(b"\r", max(at, len(data) - len(self._delimiter)))
        return found if found >= 0 and self._delimiter.startswith(data[found:]) else len(data)

    def _give(self, data: bytes, start: int, end: int) -> None:
        if start >= end:
            return
        if self._parts:
            self.events.append(memoryview(data)[start:end])
        elif data[start:end].strip(_LINE_END):
            # Only empty lines are allowed before the first boundary.
            raise _no_form()

    def _begin_part(self, at: int) -> int:
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidFieldError(
                f"The form has more than {self._max_parts} parts.",
                errors=(FieldError("form", "Send fewer parts.", allowed=str(self._max_parts)),),
            )
        self._read = PartParser._read_head
        return at

    def _read_rest_of_line(self, data: bytes, at: int) -> int:
        if data.startswith(_CLOSING, at):
            self.is_ended = True
            self._read = PartParser._drop
            return len(data)
        # Only spaces may follow a boundary in its line (RFC 2046, section 5.1.1).
        rest = data[at:].lstrip(_PADDING)
        if rest.startswith(_LINE_END):
            return self._begin_part(len(data) - len(rest))
        if rest not in {b"", b"\r"}:
            raise _no_form()
        self._held = rest
        self._read = PartParser._read_rest_of_line
        return len(data)

    def _read_head(self, data: bytes, at: int) -> int:
        # The line end of the boundary counts, so that a part without headers ends in the same way.
        end = data.find(_HEAD_END, at)
        if end < 0:
            self._held = data[at:]
            last_line = data.rfind(_LINE_END) + len(_LINE_END)
            # The next piece may bring the rest of a line end.
            if (
                len(data.removesuffix(b"\r")) - last_line > MAX_HEADER_BYTES
                or data.count(_LINE_END, at) > MAX_HEADERS + 1
            ):
                raise _no_form()
            return len(data)
        self.events.append(_part_head(data[at + len(_LINE_END) : end]))
        self._read = PartParser._read_data
        return end + len(_HEAD_END)

    def _drop(self, data: bytes, _at: int) -> int:
        return len(data)


def _no_form() -> MalformedRequestError:
    return MalformedRequestError("The body is not a form with the boundary that Content-Type names.")


def _part_head(lines: bytes) -> PartHead:
    # The same few fields are in every form. Only short headers are cached, so that the cache stays small.
    return _cached_part_head(lines) if len(lines) <= _LONGEST_CACHED_BYTES else _read_part_head(lines)


def _read_part_head(lines: bytes) -> PartHead:
    headers = _headers(lines)
    kind, options = parse_options_header(headers.get(b"content-disposition"))
    name = options.get(b"name", b"")
    if kind != b"form-data" or not name:
        raise MalformedRequestError('A part has no Content-Disposition: form-data with a name="..."')
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in {b"binary", b"8bit", b"7bit"}:
        raise MalformedRequestError("A part has a Content-Transfer-Encoding; send its bytes as they are.")
    filename = options.get(b"filename")
    content_type = headers.get(b"content-type")
    return PartHead(
        name=_text(name, "name").removesuffix("[]"),
        filename=None if filename is None else _filename(filename),
        content_type=None if content_type is None else content_type.decode("latin-1"),
        content_length=_length(headers.get(b"content-length")),
    )


_cached_part_head = lru_cache(maxsize=1_024)(_read_part_head)


def _headers(lines: bytes) -> Mapping[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    found = lines.split(_LINE_END) if lines else []
    if len(found) > MAX_HEADERS:
        raise _no_form()
    for line in found:
        header = _HEADER.fullmatch(line)
        if header is None or len(line) > MAX_HEADER_BYTES:
            raise _no_form()
        headers[header[1].lower()] = header[2].rstrip(_PADDING)
    return headers


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"A part's {what} is not UTF-8.") from error


def _filename(value: bytes) -> str:
    # Browsers escape characters that would end the quoted string (HTML standard, multipart/form-data encoding).
    name = _text(value, "filename")
    return name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 15:
        raise MalformedRequestError("A part's Content-Length is not a number of bytes.")
    return int(value)
