"""CORS: the pages that may read answers. This middleware is outermost, since errors need its headers too."""

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK_ORIGIN = r"https?://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_EXPOSED = (
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Request-Id",
    "Upload-Offset",
    "Upload-Length",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Idempotency-Replayed",
    # Headers that Google's SDK reads from an upload's answer.
    "X-Goog-Upload-Status",
    "X-Goog-Upload-URL",
    "X-Goog-Upload-Control-URL",
    "X-Goog-Upload-Chunk-Granularity",
    "X-Goog-Upload-Size-Received",
    "Server-Timing",
)
_PREFLIGHT_LASTS_S = 86_400


def origin_rule(origins: Collection[str], *, allow_loopback: bool) -> Callable[[str], bool]:
    """Return the rule that allows an Origin header, the same as that of `with_cors`; `*` allows every origin."""
    allowed = frozenset(origins)
    allows_all = "*" in allowed
    loopback = re.compile(_LOOPBACK_ORIGIN)

    def allows_origin(origin: str) -> bool:
        return allows_all or origin in allowed or (allow_loopback and loopback.fullmatch(origin) is not None)

    return allows_origin


def with_cors(app: "ASGIApp", origins: Collection[str], *, allow_loopback: bool) -> "ASGIApp":
    """Return an application with CORS for these origins and, if asked for, every loopback origin; no credentials."""
    return _WhereAsked(
        app,
        CORSMiddleware(
            app,
            allow_origins=origins,
            allow_origin_regex=_LOOPBACK_ORIGIN if allow_loopback else None,
            allow_methods=_METHODS,
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            max_age=_PREFLIGHT_LASTS_S,
        ),
    )


class _WhereAsked:
    """Calls the middleware only for requests with an Origin, which few have."""

    def __init__(self, app: "ASGIApp", cors: "ASGIApp") -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        for name, _ in scope.get("headers", ()):
            if name == b"origin":
                await self._cors(scope, receive, send)
                return
        await self._app(scope, receive, send)
