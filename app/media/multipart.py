"""A multipart/form-data body, read once and in order, as it arrives (RFC 7578).

    body pieces ──> python-multipart's push parser ──> parts: a head, then its data

Nothing is gathered here: a part's data is handed on before the next piece of the body is asked for. It knows nothing of
what the fields mean.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import FieldError, InvalidFieldError, MalformedRequestError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from python_multipart.multipart import CallbackName

MAX_BOUNDARY_CHARS = 70
MAX_HEADER_BYTES = 8_192
MAX_HEADERS = 16


@dataclass(frozen=True, slots=True)
class PartHead:
    """What stands before a part's data. `filename` is None for a field; a file may have an empty one."""

    name: str
    filename: str | None
    content_type: str | None
    content_length: int | None


_PART_END = object()
_PLAIN_FORM = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})")
"""The Content-Type as nearly every client writes it, which needs no parser."""
_LONGEST_CACHED_BYTES = 256
_Event = PartHead | memoryview | object


@lru_cache(maxsize=1_024)
def _cached_options(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_options_header(value)


def _options(value: bytes | None) -> tuple[bytes, Mapping[bytes, bytes]]:
    # The same few names stand in every form; only short values are kept, so that the cache stays small.
    is_short = value is not None and len(value) <= _LONGEST_CACHED_BYTES
    return _cached_options(value) if is_short and value is not None else parse_options_header(value)


def boundary_of(content_type: str | None) -> bytes:
    """Give the boundary of a form's Content-Type; raises UnsupportedMediaTypeError or MalformedRequestError."""
    plain = _PLAIN_FORM.fullmatch(content_type or "")
    if plain is not None:
        return plain[1].encode("ascii")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaTypeError(
            f"This operation takes multipart/form-data, not {kind.decode('latin-1') or 'a body without Content-Type'}."
        )
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= MAX_BOUNDARY_CHARS:
        raise MalformedRequestError(
            f"The form's boundary has {len(boundary)} characters; it must have 1 to {MAX_BOUNDARY_CHARS}."
        )
    return boundary


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"A part's {what} is not UTF-8.") from error


def _filename(value: bytes) -> str:
    # Browsers escape what would end the quoted string (HTML standard, multipart/form-data encoding).
    name = _text(value, "filename")
    return name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ").rpartition("/")[2]


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 15:
        raise MalformedRequestError("A part's Content-Length is not a number of bytes.")
    return int(value)


class _Parser(MultipartParser):
    """The push parser; what it finds it puts in `events`.

    It overrides `callback` instead of being given callbacks: each call is one instead of two, and no method of its
    owner's is kept, which would make a cycle that holds a form's bytes until the garbage collector comes by.
    """

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        super().__init__(boundary, max_header_count=MAX_HEADERS, max_header_size=MAX_HEADER_BYTES)
        self.events: deque[_Event] = deque()
        self.is_ended = False
        self._max_parts = max_parts
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""

    def callback(
        self, name: "CallbackName", data: bytes | None = None, start: int | None = None, end: int | None = None
    ) -> None:
        """Take what the parser found: a piece of data, or a place in the form."""
        if data is None:
            self._reach(name)
        elif name == "part_data":
            self.events.append(memoryview(data)[start:end])
        elif name == "header_field":
            self._header_name += data[start:end]
        elif name == "header_value":
            self._header_value += data[start:end]

    def _reach(self, name: "CallbackName") -> None:
        if name == "header_end":
            self._headers[self._header_name.lower()] = self._header_value.strip(b" \t")
            self._header_name = self._header_value = b""
        elif name == "headers_finished":
            self.events.append(_part_head(self._headers))
        elif name == "part_begin":
            self._begin_part()
        elif name == "part_end":
            self.events.append(_PART_END)
        elif name == "end":
            self.is_ended = True

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidFieldError(
                f"The form has more than {self._max_parts} parts.",
                errors=(FieldError("form", "Send fewer parts.", allowed=str(self._max_parts)),),
            )
        self._headers = {}


def _part_head(headers: Mapping[bytes, bytes]) -> PartHead:
    kind, options = _options(headers.get(b"content-disposition"))
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


class FormReader:
    """Iterate it for the heads of the parts, and `data()` for the data of the part at hand."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, *, max_parts: int) -> None:
        self._body = body
        self._is_in_part = False
        try:
            self._parser = _Parser(boundary, max_parts=max_parts)
        except FormParserError as error:
            raise MalformedRequestError("The form's boundary is not valid.") from error

    def __aiter__(self) -> "FormReader":
        return self

    async def __anext__(self) -> PartHead:
        """Give the next part's head; what was not read of the last part is dropped.

        Raises MalformedRequestError for a body that is not a form, or that ends without its closing boundary.
        """
        while True:
            event = await self._next()
            if event is None:
                raise StopAsyncIteration
            if isinstance(event, PartHead):
                self._is_in_part = True
                return event
            if event is _PART_END:
                self._is_in_part = False

    def data(self) -> AsyncIterator[memoryview]:
        """Give the data of the part at hand, as the body's pieces bring it."""
        return _PartData(self)

    async def next_piece(self) -> memoryview | None:
        """Give the next piece of the part at hand; None at its end."""
        if self._is_in_part:
            event = await self._next()
            if isinstance(event, memoryview):
                return event
            self._is_in_part = False
        return None

    async def _next(self) -> _Event | None:
        events = self._parser.events
        while not events:
            piece = await anext(self._body, None)
            if piece is None:
                if not self._parser.is_ended:
                    raise MalformedRequestError(
                        "The form ended without its closing boundary: the body was cut, or its Content-Type names "
                        "another boundary. Send it again."
                    )
                return None
            if piece:
                self._feed(piece)
        return events.popleft()

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise MalformedRequestError("The body is not a form with the boundary that Content-Type names.") from error


class _PartData:
    """What `FormReader.data` gives: a plain iterator, since an async generator costs a small field more than it is."""

    __slots__ = ("_reader",)

    def __init__(self, reader: FormReader) -> None:
        self._reader = reader

    def __aiter__(self) -> "_PartData":
        return self

    async def __anext__(self) -> memoryview:
        piece = await self._reader.next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece
