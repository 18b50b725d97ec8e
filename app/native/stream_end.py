"""Ends a relayed stream of events with an error event, in the shape of its surface, if Gemini is late.

Any other stream that breaks off is cut, and the client sees an unfinished answer.
"""

from starlette.types import Message, Scope, Send

from app.edge.reply import error_body
from app.errors import GatewayError, Surface, surface_of


class RelayedStream:
    """An answer on its way to the client. `send` is the server's ASGI `send`."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self._is_open = (b"content-type", b"text/event-stream") in [
                (name, value.partition(b";")[0].strip()) for name, value in message["headers"]
            ]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_open = False
        await self._send(message)

    async def end_with(self, error: GatewayError) -> bool:
        """End an open stream of events with an error event; return False if no such stream is open."""
        if not self._is_open:
            return False
        self._is_open = False
        body = error_body(self._scope, error)
        if surface_of(self._scope["path"]) is Surface.INTERACTIONS:
            frame = b'event: error\ndata: {"event_type":"error",' + body[1:] + b"\n\n"
        else:
            frame = b"data: " + body + b"\r\n\r\n"
        # Begin with a line break, since Gemini's last event may lack the empty line at its end.
        await self._send({"type": "http.response.body", "body": b"\r\n" + frame})
        return True
