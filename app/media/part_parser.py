"""The push parser of multipart/form-data (RFC 7578): pieces of a body in, heads and data of parts out.

    line that is no boundary ──> data
    boundary ──> head, up to its empty line ──> data ──> boundary ──> ... ──> closing boundary ──> nothing more counts

It searches instead of walking through the bytes, and takes a head as a whole: for a small form python-multipart's own
parser, which calls back for each word of a head, took a tenth of the whole call. What a piece leaves open (a head, what
may become a boundary) is held until the next one, so that the result never depends on where the network cut. It knows
nothing of what the fields mean.
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

PART_END = object()
"""The event after a part's data."""

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_CLOSING = b"--"
_PADDING = b" \t"
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r]*)")
_LONGEST_CACHED_BYTES = 256


@dataclass(frozen=True, slots=True)
class PartHead:
    """What stands before a part's data. `filename` is None for a field; a file may have an empty one."""

    name: str
    filename: str | None
    content_type: str | None
    content_length: int | None


Event = PartHead | memoryview | object
"""A part's head, a piece of its data, or `PART_END`."""


class PartParser:
    """Feed it the body's pieces; what they hold is put in `events`, and `is_ended` tells of the closing boundary."""

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        self.events: deque[Event] = deque()
        self.is_ended = False
        self._delimiter = _LINE_END + b"--" + boundary
        # As if a line had ended before the body: so its first boundary is found like every other.
        self._held = _LINE_END
        # A plain function: a method of this object would make a cycle, which keeps a form's bytes until it is found.
        self._read: Callable[[PartParser, bytes, int], int] = PartParser._read_data
        self._max_parts = max_parts
        self._parts = 0

    def feed(self, piece: bytes) -> None:
        """Take a piece in. Raises MalformedRequestError for what is no form, InvalidFieldError for too many parts."""
        data, self._held = self._held + piece, b""
        at = 0
        while at < len(data):
            at = self._read(self, data, at)

    # Each of these reads on from a place in the data, and gives the place where the next one goes on.

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
                # Whether it is a boundary, the next piece tells.
                break
            found = data.find(delimiter, found + 1)
        else:
            found = self._unsure(data, at)
        self._give(data, at, found)
        self._held = data[found:]
        return len(data)

    def _unsure(self, data: bytes, at: int) -> int:
        # Where a boundary may have begun: it has one carriage return, its first byte.
        found = data.rfind(b"\r", max(at, len(data) - len(self._delimiter)))
        return found if found >= 0 and self._delimiter.startswith(data[found:]) else len(data)

    def _give(self, data: bytes, start: int, end: int) -> None:
        if start >= end:
            return
        if self._parts:
            self.events.append(memoryview(data)[start:end])
        elif data[start:end].strip(_LINE_END):
            # Before the first boundary only empty lines are taken.
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
        # Blanks may follow a boundary in its line (RFC 2046, section 5.1.1), and nothing else.
        rest = data[at:].lstrip(_PADDING)
        if rest.startswith(_LINE_END):
            return self._begin_part(len(data) - len(rest))
        if rest not in {b"", b"\r"}:
            raise _no_form()
        self._held = rest
        self._read = PartParser._read_rest_of_line
        return len(data)

    def _read_head(self, data: bytes, at: int) -> int:
        # The line end of the boundary counts, so that a part without headers has the same end.
        end = data.find(_HEAD_END, at)
        if end < 0:
            self._held = data[at:]
            last_line = data.rfind(_LINE_END) + len(_LINE_END)
            if len(data) - last_line > MAX_HEADER_BYTES or data.count(_LINE_END, at) > MAX_HEADERS + 1:
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
    # The same few fields stand in every form; only short heads are kept, so that the cache stays small.
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
    # Browsers escape what would end the quoted string (HTML standard, multipart/form-data encoding).
    name = _text(value, "filename")
    return name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 15:
        raise MalformedRequestError("A part's Content-Length is not a number of bytes.")
    return int(value)
