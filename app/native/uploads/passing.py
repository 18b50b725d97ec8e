"""A chunk on its way through: read from the client, written to Gemini, never gathered.

Its first bytes may be there already, from a try whose answer was lost: they are read and dropped.
"""

from collections.abc import AsyncIterator

from starlette.types import Receive, Scope

from app.edge.body_timeouts import body_of
from app.errors import FileTooLargeError, GatewayError, UploadFailedError, UpstreamFailedError
from app.gemini.resumable import ResumableSession, Said
from app.native.services import Call
from app.native.uploads.writing import Writing

SLICE_BYTES = 256 << 10


class Passing:
    """One chunk; `skip` is how many of its first bytes Gemini has."""

    def __init__(self, scope: Scope, receive: Receive, call: Call, own: Writing, *, skip: int) -> None:
        settings = call.services.settings
        self._pieces = body_of(scope, receive, settings)
        self._own = own
        self._skip = skip
        self._most = settings.max_file_bytes
        self._failure: GatewayError | None = None
        self._passed = 0
        self._counted = own.received
        if skip and own.lines is not None:
            # What was passed on before may have been other bytes: nobody can say any more what the file names.
            own.lines.is_readable = False

    async def send(self, upstream: ResumableSession, *, at: int, length: int | None, is_final: bool) -> bytes | None:
        """Pass the chunk on; gives Gemini's answer to finalize, or None for a chunk that is not the last.

        Raises UploadFailedError with `cancelled` when the session is dead, BusyError-like errors without a status when
        the chunk is worth repeating, and what reading the body raises.
        """
        own = self._own
        left = None if length is None else max(0, length - self._skip)
        if left == 0 and not is_final:
            await self._drain()
            own.is_sure = True
            return None
        if is_final:
            # What cannot be repeated is done by the newest writer alone.
            await own.go_on()
        said = await self._command(upstream, at=at, left=left, is_final=is_final)
        if is_final:
            return await self._settled(upstream, said)
        if said is None or said.http_status != 200 or said.status != "active":
            _raise_if_dead(said)
            raise UpstreamFailedError("Gemini did not acknowledge the chunk; send it again.")
        own.received, own.is_sure = at + self._passed, True
        return None

    async def _command(self, upstream: ResumableSession, *, at: int, left: int | None, is_final: bool) -> Said | None:
        command = "upload, finalize" if is_final else "upload"
        if left == 0:
            await self._drain()
            return await upstream.command("finalize")
        said = await upstream.command(command, offset=at, body=self._content(), length=left)
        if self._failure is not None:
            raise self._failure
        return said

    async def _settled(self, upstream: ResumableSession, said: Said | None) -> bytes:
        if said is None or said.status != "final":
            _raise_if_dead(said)
            said = await upstream.query()
        if said.status == "final" and said.body:
            self._own.received += self._passed
            self._own.is_sure = True
            return said.body
        _raise_if_dead(said)
        raise UpstreamFailedError("Gemini did not finish the upload; send the last chunk again.")

    async def _drain(self) -> None:
        async for _ in self._pieces:
            pass

    async def _count(self, size_bytes: int) -> None:
        # A length that nobody declared is counted as it comes.
        session, services = self._own.session, self._own.call.services
        if size_bytes - self._counted >= services.settings.chunk_bytes:
            await services.files.grow(session.owner, session.upload_name, size_bytes)
            self._counted = size_bytes

    async def _content(self) -> AsyncIterator[memoryview]:
        own, skip = self._own, self._skip
        is_growing = own.session.declared_bytes is None
        try:
            async for piece in self._pieces:
                view = memoryview(piece)
                dropped = min(skip, len(view))
                skip -= dropped
                for start in range(dropped, len(view), SLICE_BYTES):
                    part = view[start : start + SLICE_BYTES]
                    self._passed += len(part)
                    if own.received + self._passed > self._most:
                        raise FileTooLargeError(f"The file has more than {self._most} bytes.")
                    if is_growing:
                        await self._count(own.received + self._passed)
                    if own.lines is not None:
                        own.lines.feed(bytes(part))
                    yield part
                if own.is_due:
                    await own.go_on()
        except GatewayError as error:
            # The client's fault, or its leaving: the connection to Gemini is given up for it.
            self._failure = error
            raise


def _raise_if_dead(said: Said | None) -> None:
    if said is not None and (said.http_status in {404, 410} or said.status == "cancelled"):
        raise UploadFailedError(
            "Gemini has dropped the upload; start it again.", headers={"X-Goog-Upload-Status": "cancelled"}
        )
