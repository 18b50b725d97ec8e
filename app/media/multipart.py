"""A multipart/form-data body, read once and in order as it arrives (RFC 7578).

    body pieces ──> push parser ──> parts: headers, then data

Data is not collected here: a part's data is passed on before the next piece of the body is requested. This module does
not know the meaning of fields.
"""

import re
from collections.abc import AsyncIterator

from python_multipart.multipart import parse_options_header

from app.errors import MalformedRequestError, UnsupportedMediaTypeError
from app.media.part_heads import PartHead
from app.media.part_parser import PART_END, Event, PartParser

__all__ = ["FormReader", "boundary_of"]

MAX_BOUNDARY_CHARS = 70
# The Content-Type as nearly every client writes it; it needs no parser.
_PLAIN_FORM = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})")


def boundary_of(content_type: str | None) -> bytes:
    """Return the boundary of a form's Content-Type; raises UnsupportedMediaTypeError or MalformedRequestError."""
    plain = _PLAIN_FORM.fullmatch(content_type or "")
    if plain is not None:
        return plain[1].encode("ascii")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaTypeError(
            f"This operation accepts multipart/form-data, not {kind.decode('latin-1') or 'no Content-Type'}."
        )
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedRequestError(
            "Content-Type is multipart/form-data without a boundary. Do not set Content-Type yourself: the library "
            f"that makes the form adds it with its boundary, of 1 to {MAX_BOUNDARY_CHARS} characters."
        )
    if len(boundary) > MAX_BOUNDARY_CHARS:
        raise MalformedRequestError(
            f"The form's boundary has {len(boundary)} characters; it must have 1 to {MAX_BOUNDARY_CHARS}."
        )
    return boundary


class FormReader:
    """Iterates over the headers of the parts; `data()` returns the data of the current part."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, *, max_parts: int) -> None:
        self._body = body
        self._parser = PartParser(boundary, max_parts=max_parts)
        self._events = self._parser.events
        self._is_in_part = False

    def __aiter__(self) -> "FormReader":
        return self

    async def __anext__(self) -> PartHead:
        """Return the next part's headers; unread data of the last part is dropped.

        Raises MalformedRequestError for a body that is not a form, or that ends without its closing boundary.
        """
        while True:
            event = self._events.popleft() if self._events else await self._next()
            if isinstance(event, PartHead):
                self._is_in_part = True
                return event
            if event is None:
                raise StopAsyncIteration
            if event is PART_END:
                self._is_in_part = False

    def data(self) -> AsyncIterator[memoryview]:
        """Return the data of the current part, in the pieces of the body."""
        return _PartData(self)

    async def next_piece(self) -> memoryview | None:
        """Return the next piece of the current part; None at its end."""
        if self._is_in_part:
            event = self._events.popleft() if self._events else await self._next()
            if isinstance(event, memoryview):
                return event
            self._is_in_part = False
        return None

    async def _next(self) -> Event | None:
        while not self._events:
            piece = await anext(self._body, None)
            if piece is None:
                if not self._parser.is_ended:
                    raise MalformedRequestError(
                        "The form ended without its closing boundary: the body was cut, or its Content-Type names "
                        "another boundary. Send it again."
                    )
                return None
            self._parser.feed(piece)
        return self._events.popleft()


class _PartData:
    """The result of `FormReader.data`."""

    # A plain iterator, because an async generator costs more than a small field itself.

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
