"""Which requests a running emulator answers: those of this machine and of allowed pages.

The emulator takes any API key. Without this guard, every page that a developer visits could call it.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import orjson
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EXPOSED = ("*", "X-Goog-Upload-Status", "X-Goog-Upload-URL", "X-Goog-Upload-Size-Received", "Retry-After", "Location")


def guarded(app: "ASGIApp", *, host: str, origins: Collection[str]) -> "ASGIApp":
    """Return `app` with its guard: Host must be loopback or `host`, Origin one of `origins`; `*` allows every page."""
    return CORSMiddleware(
        _Guard(app, host, origins),
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
    )


class _Guard:
    def __init__(self, app: "ASGIApp", host: str, origins: Collection[str]) -> None:
        self._app = app
        self._hosts = {*_LOOPBACK, host.lower(), f"[{host.lower()}]"}
        self._origins = frozenset(origins)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on, or answer 403 (in a WebSocket's handshake: refuse the handshake)."""
        if scope["type"] == "lifespan" or self._is_allowed(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send)

    def _is_allowed(self, scope: "Scope") -> bool:
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or _without_port(hosts[0]) not in self._hosts:
            return False
        if "*" in self._origins:
            return True
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not origins:
            # A page's <img> or <script> sends no Origin, but a browser says that another site asks.
            return (b"sec-fetch-site", b"cross-site") not in scope["headers"]
        return all(origin in self._origins or origin.partition("://")[2] == hosts[0] for origin in origins)


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host


async def _refuse(send: "Send") -> None:
    error = {
        "code": 403,
        "status": "PERMISSION_DENIED",
        "message": "The emulator answers this machine and the pages of EMULATOR_CORS_ORIGINS alone.",
    }
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"error": error})})
