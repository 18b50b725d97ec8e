"""The protocol's one-request forms: the file as the body (raw), or after its description (multipart/related).

At Gemini both become a resumable session, written while the body arrives, so that a broken body leaves no file.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.types import Receive, Scope, Send

from app.clients.limit_owners import stored_limits
from app.edge.body_timeouts import body_of, content_length
from app.errors import EmptyFileError, FileTooLargeError, MalformedRequestError
from app.media.transfer import Transfer
from app.native.services import NativeCall
from app.native.uploads.finishing import answer_final, record
from app.native.uploads.lines import UploadedLines
from app.native.uploads.metadata import DEFAULT_TYPE, MAX_METADATA_BYTES, Metadata, read_metadata
from app.native.uploads.start import check_size, is_lines, open_session

_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})"?')


async def upload_raw(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, headers: Mapping[bytes, bytes]
) -> None:
    """Serve `X-Goog-Upload-Protocol: raw`: the body is the file, its Content-Type the file's."""
    declared = headers.get(b"content-type", b"").decode("latin-1") or DEFAULT_TYPE
    metadata = Metadata(display_name=_file_name(headers), mime_type=declared, size_bytes=content_length(scope))
    await _carry(_body(scope, receive, call), send, call, metadata)


async def upload_multipart(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, headers: Mapping[bytes, bytes]
) -> None:
    """Serve `X-Goog-Upload-Protocol: multipart`: two parts, the description as JSON and then the file."""
    related = _Related(headers.get(b"content-type", b"").decode("latin-1"), _body(scope, receive, call))
    description = await related.description()
    said = read_metadata(description, {})
    mime_type = said.mime_type if said.mime_type != DEFAULT_TYPE else related.file_type or DEFAULT_TYPE
    metadata = Metadata(said.alias, said.display_name, mime_type, said.size_bytes)
    await _carry(related.file(), send, call, metadata)


def _file_name(headers: Mapping[bytes, bytes]) -> str | None:
    """Return X-Goog-Upload-File-Name, which curl sends as it was typed, in UTF-8 or Latin-1."""
    name = headers.get(b"x-goog-upload-file-name", b"")
    try:
        return name.decode() or None
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _body(scope: Scope, receive: Receive, call: NativeCall) -> AsyncIterator[bytes]:
    return body_of(scope, receive, call.services.settings)


async def _carry(pieces: AsyncIterator[bytes], send: Send, call: NativeCall, metadata: Metadata) -> None:
    services = call.services
    most = services.settings.max_file_bytes
    session = await open_session(call, metadata)
    lines = UploadedLines() if is_lines(metadata.mime_type) else None
    transfer = Transfer(session, mime_type=metadata.mime_type, chunk_bytes=services.settings.chunk_bytes)
    counted = metadata.size_bytes or 0

    async def count(size_bytes: int) -> None:
        # An undeclared length counts against the owner's limit as the bytes arrive.
        nonlocal counted
        if size_bytes > counted:
            check_size(call, size_bytes)
            await services.metering.admission.take_bytes(call.client, size_bytes - counted)
            at_most = stored_limits(call.client)
            await services.files.grow(call.client.id, session.name, size_bytes, at_most=at_most)
            counted = size_bytes

    is_done = False
    try:
        async for piece in pieces:
            await transfer.write(piece)
            if transfer.size_bytes > most:
                raise FileTooLargeError(f"The file has more than {most} bytes.")
            if transfer.size_bytes - counted >= services.settings.chunk_bytes:
                await count(transfer.size_bytes)
            if lines is not None:
                lines.feed(piece)
        if not transfer.size_bytes:
            raise EmptyFileError("The file has no bytes.")
        await transfer.end()
        await transfer.settled()
        await count(transfer.size_bytes)
        file = await transfer.finalize()
        await record(
            call,
            call.client.id,
            file,
            size_bytes=transfer.size_bytes,
            lines=lines,
            facts=transfer.facts,
        )
        is_done = True
    finally:
        if not is_done:
            await transfer.stop()
            services.files.endings.abandon(session)
    await answer_final(send, file.body, name=session.name, alias=metadata.alias)


class _Related:
    """A multipart/related body of two parts, read as it arrives."""

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes]) -> None:
        match = _BOUNDARY.search(content_type)
        if match is None:
            raise MalformedRequestError("The Content-Type must be multipart/related with a boundary.")
        self._pieces = pieces
        self._part = 0
        self._has_ended = False
        self._description = bytearray()
        self._file: deque[bytes] = deque()
        self._field = b""
        self._header = b""
        self.file_type: str | None = None
        self._parser = MultipartParser(
            match[1].encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_header_begin": self._begin_header,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._end_header,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._part += 1

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part == 1:
            self._description += data[start:end]
        else:
            self._file.append(data[start:end])

    def _begin_header(self) -> None:
        self._field, self._header = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _end_header(self) -> None:
        if self._part == 2 and self._field.lower() == b"content-type":
            self.file_type = self._header.decode("latin-1").strip()

    def _end(self) -> None:
        self._has_ended = True

    async def _more(self) -> bool:
        piece = await anext(self._pieces, None)
        if piece is None:
            if not self._has_ended or self._part != 2:
                raise MalformedRequestError("The body ends before its closing boundary, or does not have two parts.")
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise MalformedRequestError("The body is not multipart/related as declared.") from error
        if len(self._description) > MAX_METADATA_BYTES or self._part > 2:
            raise MalformedRequestError(
                f"The body must have two parts: a description of at most {MAX_METADATA_BYTES} bytes, and a file."
            )
        return True

    async def description(self) -> bytes:
        """Read up to the beginning of the file and return the first part."""
        while not self._file:
            if not await self._more():
                break
        return bytes(self._description)

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the second part as they arrive."""
        while True:
            with suppress(IndexError):
                while True:
                    yield self._file.popleft()
            if not await self._more():
                return
