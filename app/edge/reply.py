"""Answers with an error, rendered for the surface of its path, over HTTP or in place of a WebSocket handshake.

Every answer with an error is created here.
"""

from typing import TYPE_CHECKING

from starlette.responses import Response

from app.errors import GatewayError, Rendered, render, surface_of
from app.request.context import context_of

if TYPE_CHECKING:
    from starlette.types import Scope, Send

_LONGEST_INSTANCE_BYTES = 1024


def error_response(scope: "Scope", error: GatewayError) -> Response:
    """Return an error as a Starlette response, for the framework's exception handlers."""
    rendered = _rendered(scope, error)
    return Response(rendered.body, rendered.status, dict(rendered.headers))


def error_body(scope: "Scope", error: GatewayError) -> bytes:
    """Return an error's body alone, for an answer that has already begun."""
    return _rendered(scope, error).body


async def reply(scope: "Scope", send: "Send", error: GatewayError) -> None:
    """Send an error as the whole answer of a request, or as the refusal of a WebSocket handshake.

    No part of the answer may have been sent before.
    """
    rendered = _rendered(scope, error)
    is_websocket = scope["type"] == "websocket"
    if is_websocket and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.title})
        return
    prefix = "websocket.http.response" if is_websocket else "http.response"
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in rendered.headers]
    headers.append((b"content-length", b"%d" % len(rendered.body)))
    await send({"type": f"{prefix}.start", "status": rendered.status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": rendered.body})


def _rendered(scope: "Scope", error: GatewayError) -> Rendered:
    context = context_of(scope)
    # Log and ledger read from the context how the request ended.
    context.problem = error.code
    raw_path: bytes = scope.get("raw_path") or b""
    return render(
        error,
        surface_of(scope["path"]),
        request_id=context.request_id,
        base_url=context.base_url,
        instance=raw_path.decode("ascii", "replace") if 0 < len(raw_path) <= _LONGEST_INSTANCE_BYTES else None,
    )
