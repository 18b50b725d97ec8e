"""The one reader of forms: its loop over the parts serves generate, files and every task.

part "file" ──> the fields before it, its claim ──> handler.take_file
other part ──> text ──> validated value ──────────> handler.take_field
end ──────────> an instance of the form's pydantic model
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from app.api.forms import FieldsOfFile, FormValues
from app.edge.body_timeouts import body_of
from app.edge.headers import header
from app.errors import MalformedRequestError, UnsupportedMediaTypeError
from app.media.claims import Claim
from app.media.multipart import FormReader, boundary_of
from app.media.part_heads import PartHead
from app.media.text import charset_of
from app.media.types import UnsupportedTypeError
from app.services import Services

F = TypeVar("F", bound=BaseModel)
CHARSET_FIELD = "_charset_"


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file part whose headers have arrived; `data` is its body, to be read to the end."""

    filename: str | None
    declared_mime_type: str | None
    content_length: int | None
    fields: FieldsOfFile
    data: AsyncIterator[memoryview]

    @property
    def claim(self) -> Claim:
        """Return the client's claims about the file; raises WrongClaimError if two claims of its size differ."""
        fields = self.fields
        return Claim.of(file_size=fields.file_size, content_length=self.content_length, sha256=fields.sha256)


class FormHandler(Protocol):
    """Handles one operation's parts in the order of their arrival."""

    async def take_file(self, file: FormFile) -> None:
        """Read the file to its end; raises the file's error."""

    async def take_field(self, name: str, text: str) -> None:
        """Apply a non-empty field whose value is valid; raises the field's error."""


def open_form(request: Request, services: Services) -> FormReader:
    """Return the reader of a request's parts, before the body is requested.

    Raises UnsupportedMediaTypeError and MalformedRequestError for a Content-Type that is not a form with a boundary.
    """
    content_type = header(request.scope, b"content-type").decode("latin-1")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        raise UnsupportedMediaTypeError(
            "This operation takes a form (multipart/form-data), not JSON. A conversation as JSON goes to /api/v1/chat."
        )
    boundary = boundary_of(content_type)
    settings = services.settings
    return FormReader(body_of(request.scope, request.receive, settings), boundary, max_parts=settings.max_parts)


async def read_form(reader: FormReader, values: FormValues[F], handler: FormHandler) -> F:
    """Read all parts and return the form. Raises the error of a field or file as soon as it is seen."""
    async for head in reader:
        if head.name == CHARSET_FIELD and head.filename is None:
            # Browsers fill a hidden field of this name with the charset of the page's form (RFC 7578, section 4.6).
            await _read(reader.data(), values)
            continue
        if head.name == "file":
            fields = values.take_of_file()
            file = FormFile(head.filename, head.content_type, head.content_length, fields, reader.data())
            await handler.take_file(file)
            continue
        # Before the body is read: it may be a large file under a wrong name.
        values.check_name(head.name, is_file=head.filename is not None)
        text = await _text(head, reader.data(), values)
        if values.take(head.name, text) is not None:
            await handler.take_field(head.name, text)
    return values.finish()


async def _text(head: PartHead, data: AsyncIterator[memoryview], values: FormValues[F]) -> str:
    raw = await _read(data, values)
    try:
        charset = charset_of(head.content_type)
    except UnsupportedTypeError as error:
        raise MalformedRequestError(f"The field {head.name[:60]!r}: {error.reason}") from None
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        raise MalformedRequestError(
            f"The field {head.name[:60]!r} is not {charset.upper()} at byte {error.start}. Send UTF-8, or declare the "
            "charset in the part's Content-Type."
        ) from error


async def _read(data: AsyncIterator[memoryview], values: FormValues[F]) -> bytearray:
    raw = bytearray()
    async for piece in data:
        # Counted before the bytes are kept, so that a long field is refused early.
        values.count(len(piece))
        raw += piece
    return raw
