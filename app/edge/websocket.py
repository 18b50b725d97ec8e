"""One WebSocket connection: uvicorn's protocol with bounded work, bounded memory and a quiet log.

    bytes ──> held ── in slices, while the application waits for a message ──> messages

uvicorn parses all bytes of one read at once, which for frames without content takes longer than the event loop may be
held. The module knows no application.
"""

import logging
from time import monotonic
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from app.request.context import context_of

if TYPE_CHECKING:
    from starlette.types import Scope
    from uvicorn._types import ASGIReceiveEvent
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_MAX_FRAMES = 16_384
"""The largest number of frames in one message: a frame of one byte takes 40 times as much memory as its content."""
_SLICE_BYTES = 4_096
_SLICE_S = 0.005
# Kept quiet: uvicorn logs each handshake with its query, which holds the keys of Google's clients, and each refused
# handshake as an error. The access log has a line for every handshake and every defect.
_logger = logging.getLogger("uvicorn.error.websocket")
_logger.setLevel(logging.CRITICAL)


class EdgeWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket connection from its handshake on; `begin` comes first."""

    def __init__(self, config: "Config", server_state: "ServerState", app_state: dict[str, object]) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = self.conn.logger = _logger
        self._unparsed = bytearray()
        self._is_scheduled = False

    def begin(self, head: bytes) -> bool:
        """Read the head of the handshake; return False, with nothing answered, if it is not a handshake."""
        super().data_received(head)
        return self.handshake_initiated

    def data_received(self, data: bytes) -> None:
        """Hold bytes until they are parsed; at most one read is held, since the connection is not read meanwhile."""
        self._unparsed += data
        if not self._is_scheduled:
            self._parse()

    def _parse(self) -> None:
        self._is_scheduled = False
        until = monotonic() + _SLICE_S
        unparsed = self._unparsed
        while unparsed and self._may_parse() and monotonic() < until:
            piece = bytes(unparsed[:_SLICE_BYTES])
            del unparsed[:_SLICE_BYTES]
            super().data_received(piece)
        self._go_on()

    def _may_parse(self) -> bool:
        # Parsed too early, frames could be answered before the handshake is. After a close, frames are only dropped.
        if self.transport.is_closing():
            return False
        return self.close_sent or (self.handshake_complete and self.queue.empty())

    def _go_on(self) -> None:
        """Parse the next slice in the loop's next turn, or read on, or leave both to the application."""
        if self.transport.is_closing():
            self._unparsed.clear()
        elif self._unparsed:
            if not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()
            if self._may_parse() and not self._is_scheduled:
                self._is_scheduled = True
                self.loop.call_soon(self._parse)
        elif self.read_paused and self._may_parse():
            self.read_paused = False
            self.transport.resume_reading()

    def shutdown(self) -> None:
        """Close the connection at the server's end, and note for the ledger that the client did not close it."""
        if self.handshake_initiated:
            context_of(cast("Scope", self.scope)).is_shutdown = True
        super().shutdown()

    async def receive(self) -> "ASGIReceiveEvent":
        """Return the next ASGI message."""
        if self.queue.empty():
            self._go_on()
        return await self.queue.get()

    def handle_ping(self) -> None:
        """Answer a ping, unless the client reads no pongs, which would pile up (RFC 6455, 5.5.3)."""
        pongs = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))

    def handle_cont(self, event: Frame) -> None:
        """Add a frame to its message, up to a number of frames."""
        if len(self.frames) < _MAX_FRAMES:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"A message has at most {_MAX_FRAMES} frames.")
            self.handle_parser_exception()
