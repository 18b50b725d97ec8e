"""Uploads in one request: the bytes alone (raw, `uploadType=media`), or behind their metadata (multipart/related)."""

from collections.abc import AsyncIterator, Callable

from gemini_emulator.clock import Clock
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid
from gemini_emulator.faults import FaultKind
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.opening import read_request
from gemini_emulator.files.reception import Reception
from gemini_emulator.files.related import RelatedBody
from gemini_emulator.files.stored import FileRequest
from gemini_emulator.routing import Route

_BATCH_BYTES = 1024 * 1024


class SingleUploads:
    """Handler of uploads that are one request."""

    def __init__(self, clock: Clock, file_store: FileStore) -> None:
        self._clock = clock
        self._file_store = file_store

    async def create(self, exchange: Exchange, _: Route) -> None:
        """Store the file that the body is, or that is in it."""
        protocol = exchange.headers.get("x-goog-upload-protocol", "").lower() or exchange.query.get("uploadType", "")
        if protocol == "multipart":
            await self._create_related(exchange)
        elif protocol in {"raw", "media"}:
            await self._create_raw(exchange)
        else:
            raise invalid("X-Goog-Upload-Protocol or uploadType must name a protocol: resumable, raw or multipart.")

    async def _create_raw(self, exchange: Exchange) -> None:
        name = exchange.headers.get("x-goog-upload-file-name", "")
        request = read_request(
            {"file": {"displayName": name}}, exchange.headers, content_type=exchange.headers.get("content-type", "")
        )
        self._file_store.check(request)
        await self._store(exchange, exchange.pieces(), lambda: request)

    async def _create_related(self, exchange: Exchange) -> None:
        body = RelatedBody(exchange.headers.get("content-type", ""))

        def announced() -> FileRequest:
            return read_request(body.metadata(), exchange.headers, content_type=body.media_type)

        await self._store(exchange, body.media(exchange.pieces()), announced)

    async def _store(
        self, exchange: Exchange, pieces: AsyncIterator[bytes], request: Callable[[], FileRequest]
    ) -> None:
        reception = self._file_store.new_reception()
        try:
            await self._take_all(reception, pieces)
            file = await self._file_store.add(request(), reception, exchange.faults.get(FaultKind.PROCESSING))
        except BaseException:
            reception.kept.release()
            raise
        await exchange.answer_json({"file": file.resource(self._clock.now())})

    async def _take_all(self, reception: Reception, pieces: AsyncIterator[bytes]) -> None:
        held: list[bytes] = []
        held_bytes = 0
        async for piece in pieces:
            held.append(piece)
            held_bytes += len(piece)
            if held_bytes >= _BATCH_BYTES:
                self._file_store.check_size(reception.received_bytes + held_bytes)
                await reception.take(held)
                held, held_bytes = [], 0
        await reception.take(held)
