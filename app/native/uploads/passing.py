"""One chunk, streamed: read from the client, written to Gemini, never gathered.

client ──piece──> skip bytes at Gemini ──> within the declared length? still the writer? ──> scan ──> Gemini
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.types import Receive, Scope

from app.edge.body_timeouts import body_of
from app.errors import FileTooLargeError, GatewayError, MalformedRequestError, UploadFailedError, UpstreamFailedError
from app.gemini.remote_files import RemoteFile
from app.gemini.resumable import ActiveUpload, DroppedUpload, FinishedUpload, ResumableSession, UploadReply
from app.native.uploads.address import CANCELLED
from app.native.uploads.writing import Writing

SLICE_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk to upload, body unread. `offset` is None for a finalize without data; `length` is None if unknown."""

    scope: Scope
    receive: Receive
    offset: int | None
    length: int | None
    is_final: bool


class Passing:
    """Passes one chunk on as the session's one writer; Gemini has `own.received` bytes of the file for certain."""

    def __init__(self, chunk: Chunk, own: Writing) -> None:
        settings = own.call.services.settings
        self._pieces = body_of(chunk.scope, chunk.receive, settings)
        self._own = own
        self._length = chunk.length
        self._is_final = chunk.is_final
        self._begins_at = own.received if chunk.offset is None else chunk.offset
        self._read = 0
        self._passed_to = own.received
        self._most = settings.max_file_bytes
        self._failure: GatewayError | None = None
        self._counted = own.received

    @property
    def _is_all_there(self) -> bool:
        """Whether Gemini has the whole chunk already, from an earlier try whose answer was lost."""
        return self._length is not None and self._begins_at + self._length <= self._own.received

    async def drop(self) -> None:
        """Read the chunk and drop its bytes. Raises the errors of reading the body, and MalformedRequestError."""
        async for _ in self._bounded():
            pass

    async def send(self, upstream: ResumableSession) -> None:
        """Pass on a chunk that is not the last.

        Raises UploadFailedError with `cancelled` if the session is dead, UploadConflictError, the errors of reading the
        body, and errors without an upload status if the chunk is worth repeating.
        """
        own = self._own
        if self._is_all_there:
            await self.drop()
            return
        reply = await self._command(upstream, "upload")
        if reply is None or not reply.is_acknowledged:
            if reply is not None and reply.is_gone:
                raise dropped()
            raise UpstreamFailedError("Gemini did not acknowledge the chunk; send it again.")
        own.stand_at(self._passed_to)

    async def finish(self, upstream: ResumableSession) -> RemoteFile:
        """Pass on the last chunk and return the finished file. Raises the errors of `send`."""
        own = self._own
        if self._is_all_there:
            await self.drop()
            await own.hold()
            own.is_in_doubt = True
            reply = await upstream.command("finalize")
        else:
            reply = await self._command(upstream, "upload, finalize")
        match await upstream.standing(after=reply):
            case FinishedUpload(file):
                return file
            case DroppedUpload():
                raise dropped()
            case ActiveUpload(received):
                own.stand_at(received)
        raise UpstreamFailedError("Gemini did not finish the upload; send the last chunk again.")

    async def _command(self, upstream: ResumableSession, words: str) -> UploadReply | None:
        own = self._own
        await own.hold()
        own.is_sure = False
        at = own.received
        left = None if self._length is None else self._begins_at + self._length - at
        reply = await upstream.command(words, offset=at, body=self._content(), length=left)
        if self._failure is not None:
            raise self._failure
        return reply

    async def _content(self) -> AsyncIterator[memoryview]:
        own = self._own
        skip = own.received - self._begins_at
        try:
            async for piece in self._bounded():
                view = memoryview(piece)[skip:]
                skip = max(0, skip - len(piece))
                for start in range(0, len(view), SLICE_BYTES):
                    part = view[start : start + SLICE_BYTES]
                    await own.hold()
                    if own.session.declared_bytes is None:
                        await self._count(self._passed_to + len(part))
                    self._passed_to += len(part)
                    if own.lines is not None:
                        own.lines.feed(bytes(part))
                    # Gemini can make a file only of a body that was passed on whole.
                    if self._length is not None and self._passed_to == self._begins_at + self._length:
                        own.is_in_doubt = self._is_final
                    yield part
            own.is_in_doubt = self._is_final
        except GatewayError as error:
            # A fault of the client, or its disconnect, also breaks the connection to Gemini; report the cause.
            self._failure = error
            raise

    async def _bounded(self) -> AsyncIterator[bytes]:
        """Read the body and check its number of bytes against the client's declaration."""
        own = self._own
        while True:
            own.wait_for_client(is_waiting=True)
            piece = await anext(self._pieces, None)
            own.wait_for_client(is_waiting=False)
            if piece is None:
                break
            self._read += len(piece)
            self._check_end(self._begins_at + self._read)
            yield piece
        if self._length is not None and self._read < self._length:
            raise MalformedRequestError(f"The chunk has {self._read} bytes, but {self._length} were declared.")

    def _check_end(self, end: int) -> None:
        if self._length is not None and self._read > self._length:
            raise MalformedRequestError(f"The chunk has more than its declared {self._length} bytes.")
        check_end(end, self._own.session.declared_bytes)
        if end > self._most:
            raise FileTooLargeError(f"The file has more than {self._most} bytes.", headers=CANCELLED)

    async def _count(self, size_bytes: int) -> None:
        # An undeclared length counts against the owner's limit as the bytes arrive.
        session, services = self._own.session, self._own.call.services
        if size_bytes - self._counted >= services.settings.chunk_bytes:
            await services.files.grow(session.owner, session.upload_name, size_bytes)
            self._counted = size_bytes


def check_end(end: int, declared_bytes: int | None) -> None:
    """Raise MalformedRequestError for a chunk that ends beyond the file's declared end."""
    if declared_bytes is not None and end > declared_bytes:
        raise MalformedRequestError(
            f"The upload has at least {end} bytes, but its start declared {declared_bytes}; start a new upload "
            "with the right length.",
            headers=CANCELLED,
        )


def dropped() -> UploadFailedError:
    """Return the error for a session that no longer exists at Gemini."""
    return UploadFailedError("Gemini closed the upload session; start the upload again.", headers=CANCELLED)
