"""One request and its answer on a connection: uvicorn's cycle, with four additions.

An answer that begins before the end of the body closes the connection gently. The beginning of an answer leaves in one
piece, at the end of the loop's turn. `receive()` raises an error if the framing of the body is broken. A future
completes when the client leaves. The module knows no application and no limit.
"""

import asyncio
from typing import TYPE_CHECKING, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.errors import GatewayError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

_MAX_HELD_BYTES = 1 << 14


class Connection(Protocol):
    """The part of a connection that a cycle uses."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def linger(self) -> None:
        """Close, but let the client read the answer first."""


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with a hang-up future, a gentle close, and errors in the body.

    Its transport is an `AnswerTransport`. The protocol that makes a cycle sets `hangup` and `fault`.
    """

    transport: "AnswerTransport"
    hangup: "asyncio.Future[None]"
    fault: GatewayError | None = None

    async def send(self, message: "ASGISendEvent") -> None:
        """Send one ASGI message. Raises RuntimeError for headers that would break the head; no byte is sent then."""
        is_head = not self.response_started
        if is_head and self.more_body:
            self.keep_alive = False
            self.transport.lingers = True
        try:
            await super().send(message)
        except RuntimeError:
            if is_head:
                # uvicorn notes the start before it checks the headers. Undone, so that an error can still be answered.
                self.response_started = False
                self.chunked_encoding, self.expected_content_length = None, 0
            raise

    async def receive(self) -> "ASGIReceiveEvent":
        """Return the next ASGI message. Raises the fault if the framing of the body is broken."""
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
        """Notify the waiting request that its client has left."""
        if self.response_complete:
            return
        self.disconnected = True
        self.message_event.set()
        if not self.hangup.done():
            self.hangup.set_result(None)


class AnswerTransport(asyncio.Transport):
    """The transport of one cycle: holds the beginning of an answer until the loop's turn ends, then sends all at once.

    `lingers` makes the close wait for the client.
    """

    # The body, or its first piece, mostly follows within that turn, and both leave in one system call and one packet.
    # All answers of a turn leave one after another at its end: a system call that wakes a client costs several times as
    # much if other work separates it from the next.

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.lingers = False
        self._connection = connection
        self._is_begun = False
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, after the bytes that are held."""
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
        """Send the held bytes now: their turn is over, or the connection is about to be closed."""
        held, self._held = self._held, b""
        # The client may have left within that turn.
        if held and not self.is_closing():
            self._connection.transport.write(held)

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return self._connection.transport.is_closing()

    def close(self) -> None:
        """Close the connection after the written bytes have been sent."""
        self.flush()
        if self.lingers:
            self._connection.linger()
        else:
            self._connection.transport.close()
