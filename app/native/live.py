"""Live: the WebSocket `BidiGenerateContent`, relayed frame by frame with the key swapped in.

    client ──frame──> scanned, references resolved ──> Gemini        Gemini ──frame──> as it came ──> client
                                                                                └─ a copy for the usage of each turn

One frame is on its way in each direction, so either side's slowness holds the other back. Whoever closes first, the
other side is closed with the same code and reason.
"""

import asyncio
from dataclasses import dataclass, field

import aiohttp
import orjson
from starlette.types import Message, Receive, Scope, Send

from app.errors import GatewayError, UpstreamFailedError
from app.gemini.answer import Usage
from app.native.deferred import check_deferred
from app.native.metered import Estimated, Metered, merged
from app.native.reading import read_live
from app.native.resolving import Resolver, handle_key
from app.native.scanning import LIVE, Found
from app.native.services import Call
from app.native.used import mapping, text
from app.request.context import context_of
from app.store.resources import Resource, ResourceKind

MAX_MESSAGE_BYTES = 16 << 20
HANDLE_LIFETIME_S = 24 * 3600.0
NORMAL, POLICY_VIOLATION, INTERNAL_ERROR = 1000, 1008, 1011
_UNSENDABLE = frozenset({1004, 1005, 1006, 1015})
"""Codes that stand for what was not said (RFC 6455, 7.4.1)."""
_LONGEST_REASON_BYTES = 123


@dataclass(frozen=True, slots=True)
class Closed:
    """How a side ended the session."""

    code: int
    reason: str


async def live(scope: Scope, receive: Receive, send: Send, call: Call) -> None:
    """Serve a Live session until either side closes it."""
    check_deferred(call, "Live sessions")
    await receive()
    version = call.route.version
    path = f"/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
    async with call.services.upstream.websocket(path, max_message_bytes=MAX_MESSAGE_BYTES) as socket:
        await send({"type": "websocket.accept"})
        session = _Session(call, socket, receive, send, base_url=context_of(scope).base_url)
        await session.run()


@dataclass(slots=True)
class _Session:
    call: Call
    socket: aiohttp.ClientWebSocketResponse
    receive: Receive
    send: Send
    base_url: str
    model: str | None = None
    turns: list[Usage] = field(default_factory=list)

    async def run(self) -> None:
        """Relay both ways until one side closes, then close the other."""
        try:
            # The setup names the model: nothing is asked of Gemini before it is known whose limits hold for it.
            closed = await self._pass_up()
            if closed is None:
                async with Metered(self.call, self._model(), Estimated(0)).admitted() as asked:
                    try:
                        closed = await self._converse()
                    finally:
                        asked.is_refused = not self.turns
                        if self.turns:
                            asked.usage, asked.outcome = merged(self.turns), "turn_complete"
            if closed is not None:
                await self.socket.close(code=_sendable(closed.code), message=closed.reason.encode())
        except GatewayError as error:
            await self._refuse(error)

    def _model(self) -> str:
        return self.model or self.call.services.models.default

    async def _converse(self) -> Closed | None:
        """Relay until one side closes; gives how the client did, None when Gemini did and the client was told."""
        up = asyncio.create_task(self._upwards())
        down = asyncio.create_task(self._downwards())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                return up.result()
            await self._close_client(down.result())
            return None
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _refuse(self, error: GatewayError) -> None:
        code = INTERNAL_ERROR if error.status >= 500 else POLICY_VIOLATION
        await self._close_client(Closed(code, error.detail))
        await self.socket.close(code=NORMAL)

    async def _close_client(self, closed: Closed) -> None:
        reason = closed.reason.encode()[:_LONGEST_REASON_BYTES].decode(errors="ignore")
        await self.send({"type": "websocket.close", "code": _sendable(closed.code), "reason": reason})

    async def _upwards(self) -> Closed:
        while True:
            closed = await self._pass_up()
            if closed is not None:
                return closed

    async def _pass_up(self) -> Closed | None:
        """Pass one frame of the client's on; gives how it closed, if it did."""
        message: Message = await self.receive()
        if message["type"] == "websocket.disconnect":
            return Closed(message.get("code") or NORMAL, message.get("reason") or "")
        frame = message.get("text")
        if frame is not None:
            await self.socket.send_str((await self._scanned(frame.encode())).decode())
        else:
            await self.socket.send_bytes(await self._scanned(message["bytes"]))
        return None

    async def _scanned(self, frame: bytes) -> bytes:
        resolver = Resolver(self.call, LIVE, self.base_url)
        segments = [*resolver.scanner.feed(frame), *resolver.scanner.end()]
        found = [segment for segment in segments if isinstance(segment, Found)]
        if not found:
            return frame
        replaced = iter(await resolver.resolve(found))
        self.model = self.model or resolver.model
        return b"".join(next(replaced) if isinstance(segment, Found) else segment for segment in segments)

    async def _downwards(self) -> Closed:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._take_note(message.data.encode())
                await self.send({"type": "websocket.send", "text": message.data})
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self._take_note(message.data)
                await self.send({"type": "websocket.send", "bytes": message.data})
            elif message.type is aiohttp.WSMsgType.CLOSE:
                return Closed(message.data or NORMAL, message.extra or "")
            else:
                raise UpstreamFailedError("The connection to Gemini broke.")

    async def _take_note(self, frame: bytes) -> None:
        # What is generated comes in other frames, which need no reading.
        if b"usageMetadata" not in frame and b"sessionResumptionUpdate" not in frame:
            return
        try:
            message = mapping(orjson.loads(frame))
        except orjson.JSONDecodeError:
            return
        usage = read_live(dict(message)).usage
        if usage is not None:
            self.turns.append(usage)
        handle = text(mapping(message.get("sessionResumptionUpdate")).get("newHandle"))
        if handle is not None:
            await self._record(handle)

    async def _record(self, handle: str) -> None:
        now = self.call.services.upstream.clock.now()
        _, name = handle_key(handle)
        await self.call.services.resources.add(
            Resource(
                ResourceKind.HANDLE,
                name,
                self.call.client.id,
                created_at=now,
                expires_at=now + HANDLE_LIFETIME_S,
            )
        )


def _sendable(code: int) -> int:
    return INTERNAL_ERROR if code in _UNSENDABLE else code
