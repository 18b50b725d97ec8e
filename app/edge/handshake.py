"""Bounds the time until a WebSocket handshake is answered."""

import asyncio
from typing import TYPE_CHECKING

from app.errors import BusyError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HANDSHAKE_S = 10.0


class HandshakeTimeout:
    """ASGI middleware: a WebSocket scope without an answer after `timeout_s` is refused; an accepted one may last."""

    def __init__(self, app: "ASGIApp", *, timeout_s: float = HANDSHAKE_S) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Run the application. Raises BusyError in its place if it does not answer."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return

        limit = asyncio.timeout(self._timeout_s)

        async def answer(message: "Message") -> None:
            if not limit.expired():
                limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, receive, answer)
        except TimeoutError:
            if not limit.expired():
                raise
            raise BusyError(f"The WebSocket handshake was not answered within {self._timeout_s:g} s.") from None
