"""The resumable protocol: start, upload, query, finalize, cancel (Files API reference, section 2.1).

    X-Goog-Upload-Status   active: continue   final: the file is complete   cancelled: give up   absent: unknown

This module answers; sessions hold the received bytes, and the file store holds complete files.
"""

from collections.abc import AsyncIterator

from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange, Headers
from gemini_emulator.failures import ApiFailureError, invalid, ordinary
from gemini_emulator.faults import FaultKind
from gemini_emulator.files.chunks import Chunk, ChunkWriter, SpoiltSessionError
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.opening import read_request
from gemini_emulator.files.sessions import LostLeaseError, Session, Sessions
from gemini_emulator.routing import Route, commands_of

_METADATA_LIMIT_BYTES = 1024 * 1024
_UNKNOWN_LENGTH = "The length of the upload is required: X-Goog-Upload-Header-Content-Length is missing."


class ResumableUploads:
    """Handlers of the calls that have `X-Goog-Upload-Command`."""

    def __init__(self, config: EmulatorConfig, clock: Clock, file_store: FileStore, sessions: Sessions) -> None:
        self._config = config
        self._clock = clock
        self._file_store = file_store
        self._sessions = sessions

    async def start(self, exchange: Exchange, route: Route) -> None:
        """Open a session and say where its bytes go."""
        document = await exchange.document(_METADATA_LIMIT_BYTES)
        session = self.open(document, exchange)
        url = upload_url(exchange, route, session, "upload_protocol=resumable")
        await exchange.answer(
            content_type=b"text/plain; charset=utf-8",
            headers=[
                *_headers(session, "active"),
                (b"x-goog-upload-url", url),
                (b"x-goog-upload-control-url", url),
                (b"x-goog-upload-chunk-granularity", b"%d" % self._config.granularity),
            ],
        )

    def open(self, document: object, exchange: Exchange) -> Session:
        """Open a session for a described file. Raises ApiFailureError for a file that is not accepted."""
        request = read_request(document, exchange.headers)
        if request.size_bytes is None and self._config.refuse_unknown_length:
            raise invalid(_UNKNOWN_LENGTH)
        return self._sessions.open(request, exchange.faults.get(FaultKind.PROCESSING))

    async def command(self, exchange: Exchange, _: Route) -> None:
        """Obey a command to a session."""
        upload_id = exchange.query["upload_id"]
        if exchange.faults.get(FaultKind.DEAD_SESSION):
            self._sessions.drop(upload_id)
        session = self._sessions.get(upload_id)
        if exchange.faults.get(FaultKind.UNAVAILABLE_ACK):
            await exchange.drain()
            raise ordinary(503)
        words = commands_of(exchange.headers)
        if words == ["query"]:
            await self._answer(exchange, session)
        elif words == ["cancel"]:
            await self._cancel(exchange, session)
        elif session.status != "active":
            await exchange.drain()
            await self._answer_ended(exchange, session)
        else:
            await self._receive(exchange, session, is_last="finalize" in words)

    async def _cancel(self, exchange: Exchange, session: Session) -> None:
        if session.status == "final":
            await exchange.fail(invalid("The upload is final already."), headers=_headers(session, "final"))
            return
        session.cancel()
        await self._answer(exchange, session)

    async def _answer(self, exchange: Exchange, session: Session) -> None:
        headers = _headers(session, session.status)
        if session.file is None:
            await exchange.answer(content_type=b"text/plain; charset=utf-8", headers=headers)
        else:
            await exchange.answer_json({"file": session.file.resource(self._clock.now())}, headers=headers)

    async def _answer_ended(self, exchange: Exchange, session: Session) -> None:
        if session.status == "final":
            # Every byte that is sent again is held: it is acknowledged, and so is the end.
            await self._answer(exchange, session)
        else:
            await exchange.fail(invalid("The upload was cancelled."), headers=_headers(session, "cancelled"))

    async def _receive(self, exchange: Exchange, session: Session, *, is_last: bool) -> None:
        try:
            chunk = _chunk_of(exchange, session, is_last=is_last)
            await receive_chunk(exchange, session, self._file_store, self._config.granularity, chunk)
        except SpoiltSessionError as error:
            session.cancel()
            await exchange.fail(error.failure, headers=_headers(session, "cancelled"))
        except LostLeaseError:
            await exchange.fail(ApiFailureError(409, "Another call has begun to write to this upload."))
        except ApiFailureError as failure:
            await exchange.fail(failure, headers=_headers(session, "active"))
        else:
            await self._answer(exchange, session)


def _chunk_of(exchange: Exchange, session: Session, *, is_last: bool) -> Chunk:
    written = exchange.headers.get("x-goog-upload-offset", "")
    if not written and exchange.declared_bytes == 0:
        written = str(session.received_bytes)
    if not written.isdecimal():
        raise invalid("X-Goog-Upload-Offset must be a number of bytes.")
    return Chunk(int(written), is_last, exchange.declared_bytes)


async def receive_chunk(
    exchange: Exchange, session: Session, file_store: FileStore, granularity: int, chunk: Chunk
) -> None:
    """Receive the bytes of a call, and store the file after the last bytes.

    Raises ApiFailureError if the session can continue, SpoiltSessionError if it cannot, and LostLeaseError.
    """
    lease = await session.new_lease()
    chunk.check(session, granularity)
    writer = ChunkWriter(session, chunk, file_store, granularity, lease=lease)
    torn = exchange.faults.get(FaultKind.PARTIAL)
    if torn is not None:
        await writer.write_torn(_first(exchange.pieces(), torn.size_bytes))
        await exchange.cut()
    await writer.write(exchange.pieces())
    if chunk.is_last:
        await _finish(exchange, session, file_store, lease)


async def _finish(exchange: Exchange, session: Session, file_store: FileStore, lease: int) -> None:
    declared = session.request.size_bytes
    if declared is not None and session.received_bytes != declared:
        raise invalid(
            f"The upload cannot be finalized: {session.received_bytes} of {declared} declared bytes were received."
        )
    try:
        await session.finish(file_store, lease, exchange.faults.get(FaultKind.PROCESSING))
    except ApiFailureError as failure:
        raise SpoiltSessionError(failure) from failure


async def _first(pieces: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    left = size_bytes
    async for piece in pieces:
        if left <= len(piece):
            yield piece[:left]
            return
        left -= len(piece)
        yield piece


def upload_url(exchange: Exchange, route: Route, session: Session, protocol: str) -> bytes:
    """Write the address of a session; it carries the key when the key came in the query."""
    key = f"&key={exchange.query['key']}" if "key" in exchange.query else ""
    host = exchange.headers.get("host", "")
    url = f"{exchange.scheme}://{host}/upload/{route.version}/files?upload_id={session.upload_id}&{protocol}{key}"
    return url.encode("latin-1")


def _headers(session: Session, status: str) -> Headers:
    return (
        (b"x-goog-upload-status", status.encode()),
        (b"x-goog-upload-size-received", b"%d" % session.received_bytes),
        (b"x-guploader-uploadid", session.upload_id.encode()),
    )
