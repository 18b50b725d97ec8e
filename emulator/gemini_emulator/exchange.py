"""One HTTP call: its head and body in, its answer out, with the headers that real answers carry.

    pieces() / document() ──> handler ──> answer() | begin(), write(), end()
                                              └─ cut short where a fault says so

One object owns `receive` and `send` of a call. It knows no operation.
"""

import asyncio
import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

import orjson

from gemini_emulator.clock import Clock
from gemini_emulator.failures import ApiFailureError, invalid, too_large
from gemini_emulator.faults import NO_FAULTS, FaultKind, Faults
from gemini_emulator.journal import Record
from gemini_emulator.proto.blobs import lift, without_media
from gemini_emulator.proto.numbers import with_numbered_enums
from gemini_emulator.splitting import PAUSE_S, Cut, SplitMode, Splitter, Splitting
from gemini_emulator.transport import transport_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

T = TypeVar("T")
Headers = Sequence[tuple[bytes, bytes]]
JSON_TYPE = b"application/json; charset=UTF-8"
_PACKED_TYPES = frozenset({JSON_TYPE, b"text/event-stream"})
_INLINE_WORK_BYTES = 65_536
_CLOSE_TIMEOUT_S = 5.0
_WHOLE = Splitting(SplitMode.NONE)
_FIXED_HEADERS = (
    (b"x-gateway-emulator", b"1"),
    (b"vary", b"Origin, X-Origin, Referer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-xss-protection", b"0"),
)


class ClientGoneError(Exception):
    """The client closed the connection."""


class CutError(Exception):
    """The connection was closed on purpose; there is nobody left to answer."""


class Exchange:
    """A call and its answer; `record` is the call's entry in the journal."""

    def __init__(self, scope: "Scope", receive: "Receive", send: "Send", *, clock: Clock) -> None:
        self._receive = receive
        self._send = send
        self._scope = scope
        self._clock = clock
        self._began_at = time.perf_counter()
        self._body_has_ended = False
        self._is_over = False
        self._is_watched = False
        self._bytes_left: int | None = None
        self._chunks_left: int | None = None
        self._packer: zlib._Compress | None = None
        self._splitter: Splitter | None = None
        self._is_split = False
        self.method: str = scope["method"]
        self.scheme: str = scope["scheme"]
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.path = raw_path.partition(b"?")[0].decode("latin-1")
        self.query: dict[str, str] = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.record = Record("unknown", self.method, self.path)
        self.faults: Faults = NO_FAULTS
        self.splitting = _WHOLE

    @property
    def alt(self) -> str:
        """The framing that the query asks for, such as `sse`, without its parameters; "" if it asks for none."""
        return self._written_alt.partition(";")[0]

    @property
    def numbers_enums(self) -> bool:
        """Whether the query asks for enums as numbers."""
        return "enum-encoding=int" in self._written_alt.split(";")

    @property
    def _written_alt(self) -> str:
        return self.query.get("alt") or self.query.get("$alt", "")

    @property
    def declared_bytes(self) -> int | None:
        """The body's Content-Length; None when it is sent in chunks."""
        written = self.headers.get("content-length", "")
        if written.isdecimal():
            return int(written)
        return None if "transfer-encoding" in self.headers else 0

    @property
    def _takes_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")

    @property
    def is_body_read(self) -> bool:
        """Whether the whole body has come in."""
        return self._body_has_ended

    # The body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises ClientGoneError if the body is cut."""
        while not self._body_has_ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            piece: bytes = message.get("body", b"")
            self._body_has_ended = not message.get("more_body", False)
            self.record.body_bytes += len(piece)
            if piece:
                yield piece

    async def drain(self) -> None:
        """Read the rest of the body, and drop it."""
        async for _ in self.pieces():
            pass

    async def document(self, limit_bytes: int, *, has_contents: bool = False) -> object:
        """Read the body as JSON, its media decoded; an empty body is an empty object.

        `has_contents` is for interactions, as in `lift`. Raises ApiFailureError above the limit and for a body that is
        not JSON.
        """
        if (self.declared_bytes or 0) > limit_bytes:
            raise too_large(limit_bytes)
        held: list[bytes] = []
        async for piece in self.pieces():
            if self.record.body_bytes > limit_bytes:
                raise too_large(limit_bytes)
            held.append(piece)
        if self.record.body_bytes < _INLINE_WORK_BYTES:
            return self._read_document(held, has_contents=has_contents)
        return await asyncio.to_thread(self._read_document, held, has_contents=has_contents)

    def _read_document(self, held: list[bytes], *, has_contents: bool) -> object:
        body = held[0] if len(held) == 1 else b"".join(held)
        held.clear()
        self.record.body_sha256 = hashlib.sha256(body).hexdigest()
        if not body:
            return {}
        try:
            tree: object = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise invalid(f"Invalid JSON payload received. {error}") from error
        lifted = lift(tree, has_contents=has_contents)
        if len(body) - lifted < _INLINE_WORK_BYTES:
            self.record.document = without_media(tree)
        return tree

    # The answer

    async def answer_json(self, value: object, *, status: int = 200, headers: Headers = ()) -> None:
        """Answer with JSON, indented as Google's; enums as numbers if the query asks for them."""
        if self.numbers_enums:
            value = with_numbered_enums(value)
        body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        await self.answer(body, status=status, headers=headers)
        self.record.note_usage(body)

    async def answer(
        self, body: bytes = b"", *, status: int = 200, content_type: bytes = JSON_TYPE, headers: Headers = ()
    ) -> None:
        """Answer in one piece, compressed when it is JSON or a stream's error and the client takes it."""
        extra = list(headers)
        if body and content_type in _PACKED_TYPES and self._takes_gzip:
            is_large = len(body) > _INLINE_WORK_BYTES
            body = await asyncio.to_thread(_gzip, body) if is_large else _gzip(body)
            extra.append((b"content-encoding", b"gzip"))
        extra.append((b"content-length", str(len(body)).encode()))
        # A plain answer is one chunk; to lose what comes after a chunk is to lose its last byte.
        self._plan_cut(chunk_bytes=max(0, len(body) - 1))
        await self._begin(status, content_type, extra)
        await self._write(body, is_last=True)

    async def begin(self, *, content_type: bytes, headers: Headers = ()) -> None:
        """Begin an answer whose length is not known."""
        self._plan_cut(chunk_bytes=None)
        if content_type in _PACKED_TYPES and self._takes_gzip:
            self._packer = _new_packer()
            headers = [*headers, (b"content-encoding", b"gzip")]
        await self._begin(200, content_type, headers)

    async def write(self, chunk: bytes) -> None:
        """Send one chunk of an answer that was begun."""
        if self._chunks_left is not None:
            if self._chunks_left == 0:
                await self.cut()
            self._chunks_left -= 1
        # Every chunk is to arrive by itself.
        packer = self._packer
        packed = chunk if packer is None else packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        await self._write(packed, is_last=False)
        self.record.note_usage(chunk)

    async def end(self) -> None:
        """End an answer that was begun."""
        if self._chunks_left is not None or self._bytes_left is not None:
            await self.cut()
        await self._write(self._packer.flush() if self._packer is not None else b"", is_last=True)

    async def fail(self, failure: ApiFailureError, *, headers: Headers = ()) -> None:
        """Answer with an error, in the clothes that the call asked for."""
        if self.record.operation.startswith("interactions."):
            await self.answer_json(failure.interaction_body(), status=failure.code, headers=headers)
            return
        is_stream = self.record.operation == "streamGenerateContent"
        is_sse = is_stream and self.alt == "sse"
        value: object = failure.body() if is_sse or not is_stream else [failure.body()]
        body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        content_type = b"text/event-stream" if is_sse else JSON_TYPE
        await self.answer(body, status=failure.code, content_type=content_type, headers=headers)

    async def cut(self) -> None:
        """Close the connection without a word more. Always raises CutError."""
        self._is_over = True
        transport = transport_of(self._scope)
        transport.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            transport.abort()
        raise CutError

    async def unless_gone(self, work: Coroutine[object, object, T]) -> T:
        """Do some work, but stop it when the client leaves; then raises ClientGoneError. The body must have ended."""
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._departure())
        self._is_watched = True
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise ClientGoneError
        finally:
            self._is_watched = False
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _departure(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._is_over:
            # A server says the same once all has been answered.
            await asyncio.Event().wait()

    def _plan_cut(self, *, chunk_bytes: int | None) -> None:
        fault = self.faults.get(FaultKind.CUT)
        if self.faults.get(FaultKind.LOST_ACK):
            self._bytes_left = 0
        elif fault is not None and fault.after_bytes is not None:
            self._bytes_left = fault.after_bytes
        elif fault is not None and fault.after_chunks and chunk_bytes is not None:
            self._bytes_left = chunk_bytes
        elif fault is not None:
            self._chunks_left = fault.after_chunks or 0

    async def _begin(self, status: int, content_type: bytes, headers: Headers) -> None:
        slow = self.faults.get(FaultKind.SLOW)
        if slow is not None:
            await self._pause(slow.delay_s)
        if self._bytes_left == 0 or self._chunks_left == 0:
            await self.cut()
        self.record.status = status
        took_ms = round((time.perf_counter() - self._began_at) * 1000)
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", content_type),
                    (b"date", self._clock.http_date()),
                    (b"server-timing", b"gfet4t7; dur=%d" % took_ms),
                    *_FIXED_HEADERS,
                    *headers,
                ],
            }
        )

    async def _pause(self, seconds: float) -> None:
        if self._is_watched:
            await asyncio.sleep(seconds)
            return
        await self.drain()
        await self.unless_gone(asyncio.sleep(seconds))

    async def _write(self, chunk: bytes, *, is_last: bool) -> None:
        if self._bytes_left is not None:
            chunk = chunk[: self._bytes_left]
            self._bytes_left -= len(chunk)
            if self._bytes_left == 0 or is_last:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                await self.cut()
        await self._write_split(chunk, is_last=is_last)

    async def _write_split(self, chunk: bytes, *, is_last: bool) -> None:
        pieces = [chunk] if (splitter := self._splitter_for(chunk)) is None else splitter.pieces(chunk)
        for piece in pieces[:-1]:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0 if splitter is None else splitter.pause_s)
        self._is_over = is_last
        await self._send({"type": "http.response.body", "body": pieces[-1], "more_body": not is_last})

    def _splitter_for(self, chunk: bytes) -> Splitter | None:
        if not self._is_split:
            self._is_split = True
            fault = self.faults.get(FaultKind.SPLIT)
            asked = None if fault is None else Cut(fault.after_bytes, fault.delay_s or PAUSE_S)
            self._splitter = self.splitting.splitter(asked, len(chunk))
        return self._splitter


def _new_packer() -> "zlib._Compress":
    return zlib.compressobj(level=1, wbits=31)


def _gzip(body: bytes) -> bytes:
    packer = _new_packer()
    return packer.compress(body) + packer.flush()
