"""The old resumable protocol: `uploadType=resumable`, `Location`, chunks by PUT with `Content-Range`.

308 with Range: go on   200 with {"file"}: done   308 without Range: nothing has come yet
"""

import re

from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange, Headers
from gemini_emulator.failures import ApiFailureError, invalid, ordinary
from gemini_emulator.faults import FaultKind
from gemini_emulator.files.chunks import Chunk, SpoiltSessionError
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.resumable import ResumableUploads, receive_chunk, upload_url
from gemini_emulator.files.sessions import LostLeaseError, Session, Sessions
from gemini_emulator.routing import Route

_METADATA_LIMIT_BYTES = 1024 * 1024
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class RangedUploads:
    """Handlers of the calls that have `Content-Range`."""

    def __init__(
        self,
        config: EmulatorConfig,
        clock: Clock,
        file_store: FileStore,
        sessions: Sessions,
        resumable: ResumableUploads,
    ) -> None:
        self._config = config
        self._clock = clock
        self._file_store = file_store
        self._sessions = sessions
        self._resumable = resumable

    async def start(self, exchange: Exchange, route: Route) -> None:
        """Open a session and say in `Location` where its bytes go."""
        document = await exchange.document(_METADATA_LIMIT_BYTES)
        session = self._resumable.open(document, exchange)
        location = upload_url(exchange, route, session, "uploadType=resumable")
        await exchange.answer(headers=[(b"location", location), (b"x-guploader-uploadid", session.upload_id.encode())])

    async def put(self, exchange: Exchange, _: Route) -> None:
        """Receive a chunk, or answer a query for the received bytes."""
        upload_id = exchange.query["upload_id"]
        if exchange.faults.get(FaultKind.DEAD_SESSION):
            self._sessions.drop(upload_id)
        session = self._sessions.get(upload_id)
        if exchange.faults.get(FaultKind.UNAVAILABLE_ACK):
            await exchange.drain()
            raise ordinary(503)
        chunk = _chunk_of(exchange)
        if session.status == "active" and chunk is not None:
            await self._receive(exchange, session, chunk)
        else:
            await exchange.drain()
        if session.status == "cancelled":
            raise ApiFailureError(404, "The upload was cancelled.")
        if session.file is not None:
            await exchange.answer_json({"file": session.file.resource(self._clock.now())})
        else:
            await exchange.answer(status=308, headers=_range_of(session))

    async def _receive(self, exchange: Exchange, session: Session, chunk: Chunk) -> None:
        try:
            await receive_chunk(exchange, session, self._file_store, self._config.granularity, chunk)
        except SpoiltSessionError as error:
            session.cancel()
            raise error.failure from error
        except LostLeaseError as error:
            raise ApiFailureError(409, "Another call has begun to write to this upload.") from error


def _chunk_of(exchange: Exchange) -> Chunk | None:
    """Read Content-Range; None for a query, and a body without the header is the whole file."""
    written = exchange.headers.get("content-range")
    if written is None:
        return Chunk(0, is_last=True, size_bytes=exchange.declared_bytes)
    match = _RANGE.fullmatch(written)
    if match is None:
        raise invalid(f"Content-Range is not of the form bytes a-b/total: {written!r}.")
    if match[1] is None:
        return None
    first, last = int(match[1]), int(match[2])
    is_last = match[3] != "*" and last + 1 == int(match[3])
    return Chunk(first, is_last=is_last, size_bytes=last + 1 - first)


def _range_of(session: Session) -> Headers:
    received = session.received_bytes
    return ((b"range", b"bytes=0-%d" % (received - 1)),) if received else ()
