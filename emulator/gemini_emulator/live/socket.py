"""The WebSocket under a Live session: the check of the key, frames in and out, the close.

A failure closes with 1007 for a malformed message and 1008 for a forbidden one, with the failure's text as the reason.
"""

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import orjson

from gemini_emulator.failures import ApiFailureError
from gemini_emulator.faults import FaultKind, FaultPlan
from gemini_emulator.generation.responder import Responder
from gemini_emulator.journal import Journal, Record
from gemini_emulator.live.messages import Json, read_frame, write_frame
from gemini_emulator.live.session import LiveSession, Resumptions

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

OPERATION = "live"
_PATH = re.compile(r"/+ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.BidiGenerateContent")
_MALFORMED, _VIOLATION, _WRONG_KEY = 1007, 1008, "invalid"
_MAX_REASON_BYTES = 123
_REMEMBERED_BYTES = 60_000


class _ClosedByFaultError(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class LiveSocket:
    """Serves sessions."""

    def __init__(self, responder: Responder, plan: FaultPlan, journal: Journal) -> None:
        self._responder = responder
        self._plan = plan
        self._journal = journal
        self.resumptions = Resumptions()

    async def serve(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve one handshake and the session that comes of it."""
        await receive()
        record = Record(OPERATION, "WEBSOCKET", scope["path"])
        self._journal.begin(record)
        self._journal.count(OPERATION)
        try:
            match = _PATH.fullmatch(scope["path"])
            record.key_seen = bool(_key(scope))
            if match is None or _key(scope) in {"", _WRONG_KEY}:
                await send({"type": "websocket.close", "code": _VIOLATION, "reason": "refused"})
                return
            await send({"type": "websocket.accept", "headers": [(b"x-gateway-emulator", b"1")]})
            record.status = 101
            await self._converse(receive, send, match[1], record)
        finally:
            self._journal.end()

    async def _converse(self, receive: "Receive", send: "Send", version: str, record: Record) -> None:
        faults = self._plan.take(OPERATION, "")
        closing = faults.get(FaultKind.CLOSE)
        sent = 0

        async def say(message: Json) -> None:
            nonlocal sent
            if closing is not None and sent >= (closing.after_chunks or 0):
                raise _ClosedByFaultError(closing.code, closing.reason)
            sent += 1
            frame = write_frame(message)
            await send({"type": "websocket.send", "bytes": frame})
            record.note_usage(frame)

        session = LiveSession(self._responder, self.resumptions, say, version)
        session.faults = faults
        hearing: asyncio.Task[None] | None = None
        try:
            hearing = asyncio.create_task(_hear(receive, session, record))
            await self._until_ended(hearing, session)
        except ApiFailureError as failure:
            code = _MALFORMED if failure.code == 400 else _VIOLATION
            await send({"type": "websocket.close", "code": code, "reason": _cut(failure.message)})
        except _ClosedByFaultError as closed:
            await send({"type": "websocket.close", "code": closed.code, "reason": _cut(closed.reason)})
        finally:
            session.stop()
            if hearing is not None:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _until_ended(self, hearing: "asyncio.Task[None]", session: LiveSession) -> None:
        while not hearing.done():
            answering = session.answering
            tasks = {hearing} if answering is None or answering.done() else {hearing, answering}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=None if len(tasks) > 1 else 0.05)
            if answering is not None and answering.done() and not answering.cancelled():
                answering.result()
        hearing.result()


async def _hear(receive: "Receive", session: LiveSession, record: Record) -> None:
    frames: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        data: bytes = message.get("bytes") or (message.get("text") or "").encode()
        record.body_bytes += len(data)
        if record.body_bytes < _REMEMBERED_BYTES and _is_json(data):
            frames.append(data)
            record.document = b"[%b]" % b",".join(frames)
        await session.take(read_frame(data))


def _cut(reason: str) -> str:
    """Return the longest start of `reason` that fits into a close frame (RFC 6455, 5.5: 125 bytes with the code)."""
    return reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _key(scope: "Scope") -> str:
    for name, value in scope["headers"]:
        if name == b"x-goog-api-key":
            key: bytes = value
            return key.decode("latin-1")
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("key", [""])[0]
