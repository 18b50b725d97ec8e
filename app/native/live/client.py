"""The client's side of a Live session: messages in and out, and the close."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Receive, Send

from app.errors import ClientGoneError
from app.native.live.closing import Closing

CLOSE_S = 5.0
"""Seconds for a client to answer the close."""


class ClientClosedError(ClientGoneError):
    """The client has closed its side."""

    def __init__(self, closing: Closing) -> None:
        super().__init__("The client closed the session.")
        self.closing = closing


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A message as it passes: JSON, in a frame of text or of bytes."""

    data: bytes
    is_text: bool


class LiveClient:
    """The WebSocket of a client, from its handshake on."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Accept the handshake."""
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def message(self) -> LiveMessage:
        """Return the next message. Raises ClientClosedError."""
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            raise ClientClosedError(Closing.of(received.get("code"), received.get("reason")))
        text = received.get("text")
        return (
            LiveMessage(received["bytes"], is_text=False) if text is None else LiveMessage(text.encode(), is_text=True)
        )

    async def send(self, message: LiveMessage) -> None:
        """Send a message. Raises ClientClosedError if the client has left."""
        content = {"text": message.data.decode()} if message.is_text else {"bytes": message.data}
        try:
            await self._send({"type": "websocket.send", **content})
        except OSError as error:
            # The error of the ASGI specification for a client that has left.
            raise ClientClosedError(Closing.of(None, None)) from error

    async def close(self, closing: Closing) -> None:
        """Close the client's side, unless the client has left or reads nothing."""
        # Python's TimeoutError is an OSError. The server ends a connection that is not read.
        with suppress(OSError):
            async with asyncio.timeout(CLOSE_S):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
