"""One request and its answer on a connection: uvicorn's cycle, and what it lacks.

It adds four things: an answer that begins before the body has ended closes the connection gently; what an answer begins
with goes out in one piece, at the end of the loop's turn; a body whose framing breaks is an error that the
application's `receive()` raises; and a future that completes when the client leaves. The head it writes itself.
It knows no application and no limit.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.edge.answer_head import head_of
from app.errors import GatewayError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPResponseStartEvent

_MAX_HELD_BYTES = 1 << 14
_BODILESS = frozenset({204, 304})


class Connection(Protocol):
    """What a cycle asks of its connection."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def linger(self) -> None:
        """Close, but let the client read the answer first."""


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with a hang-up future, a gentle close, and faults in the body.

    Its transport is an `AnswerTransport`. `hangup` and `fault` are set by the protocol that makes it.
    """

    transport: "AnswerTransport"
    hangup: "asyncio.Future[None]"
    fault: GatewayError | None = None

    def send(self, message: "ASGISendEvent") -> "Coroutine[None, None, None]":
        """Send one ASGI message. A plain function, so that the ordinary call costs one test and no coroutine more."""
        if self.more_body and not self.response_started:
            self.keep_alive = False
            self.transport.lingers = True
        if message["type"] != "http.response.start" or self.response_started:
            return super().send(message)
        return self._begin(message)

    async def _begin(self, message: "HTTPResponseStartEvent") -> None:
        """Send the head, in uvicorn's place. Raises ValueError for headers that HTTP does not allow."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        status = message["status"]
        lines, framing = head_of(status, [*self.default_headers, *message.get("headers", ())])
        self.response_started = True
        self.waiting_for_100_continue = False
        if framing.closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if framing.content_length is not None:
            self.chunked_encoding = False
            self.expected_content_length = framing.content_length
        elif framing.is_chunked:
            self.chunked_encoding = True
        elif self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self.transport.write(b"".join(lines))

    async def receive(self) -> "ASGIReceiveEvent":
        """Give the next ASGI message.

        Raises the fault when the body's framing is broken.
        """
        message: ASGIReceiveEvent
        if self.fault is None or self.disconnected or self.response_complete:
            message = await super().receive()
            if self.fault is None or message["type"] == "http.disconnect":
                return message
        raise self.fault

    def fail(self, fault: GatewayError) -> None:
        """Make `receive()` raise from now on."""
        self.fault = fault
        self.message_event.set()

    def hang_up(self) -> None:
        """Tell everyone who waits that the client has gone."""
        if self.response_complete:
            return
        self.disconnected = True
        self.message_event.set()
        if not self.hangup.done():
            self.hangup.set_result(None)


class AnswerTransport(asyncio.Transport):
    """What one cycle writes to: it holds an answer's beginning back for the rest of the loop's turn.

    The body, or its first piece, mostly follows within that turn, and both leave in one system call and one packet. All
    the answers of a turn leave one after another at its end: a system call that wakes the client costs several times as
    much while other work stands between it and the next one.
    `lingers` makes its close wait for the client.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.lingers = False
        self._connection = connection
        self._is_begun = False
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, together with what is held."""
        if self._held:
            held, self._held = self._held, b""
            if len(held) + len(data) <= _MAX_HELD_BYTES:
                self._held = b"".join((held, data))
            else:
                self._connection.transport.writelines((held, data))
        elif self._is_begun:
            self._connection.transport.write(data)
        else:
            self._is_begun = True
            self._held = bytes(data)
            self._connection.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held now: its turn is over, or the connection is about to be closed."""
        held, self._held = self._held, b""
        # Within that turn the client may have left.
        if held and not self.is_closing():
            self._connection.transport.write(held)

    def is_closing(self) -> bool:
        """Tell whether the connection is being closed."""
        return self._connection.transport.is_closing()

    def close(self) -> None:
        """Close the connection, once what was written has been sent."""
        self.flush()
        if self.lingers:
            self._connection.linger()
        else:
            self._connection.transport.close()
