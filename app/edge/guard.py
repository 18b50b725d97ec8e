"""Refuses requests by Host and Origin and, if the gateway is open, forwarded requests.

    Host twice or none: 400 ── not ours: 421 (DNS rebinding) ── open: foreign pages and proxies: 403 ── app

Only the head is judged, before a byte of the body is asked for. The module assumes nothing about the application
inside it, and authenticates nobody.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from app.edge.reply import reply
from app.errors import ForbiddenOriginError, ForeignHostError, GatewayError, MalformedRequestError
from app.request.context import context_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ORIGIN_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PAGES = ("/", "/docs")


class Guard:
    """ASGI middleware for HTTP and WebSocket scopes; everything else passes through.

    `allowed_hosts` are names and addresses without port (IPv6 with or without brackets), case ignored. `is_open` means
    that clients do not authenticate: then requests from pages of origins that `allows_origin` refuses are refused, the
    gateway's own pages excepted, and so are requests through a proxy.
    """

    def __init__(
        self,
        app: "ASGIApp",
        *,
        allowed_hosts: Collection[str],
        is_open: bool,
        allows_origin: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._allowed_hosts = frozenset(host.strip("[]").lower() for host in allowed_hosts)
        self._is_open = is_open
        self._allows_origin = allows_origin

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Judge the head, then call the application or refuse."""
        if scope["type"] in {"http", "websocket"}:
            refusal = context_of(scope).refusal or self._refusal_of(scope)
            if refusal is not None:
                await reply(scope, send, refusal)
                return
        await self._app(scope, receive, send)

    def _refusal_of(self, scope: "Scope") -> GatewayError | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return MalformedRequestError(f"A request has exactly one Host header; this one has {len(hosts)}.")
        name = host_name(hosts[0])
        if name is None:
            return MalformedRequestError("The Host header is not a host name or address with an optional port.")
        if name not in self._allowed_hosts:
            return ForeignHostError(
                f"This gateway does not serve the host {name}; the operator can add it to ALLOWED_HOSTS."
            )
        origin = f"{_ORIGIN_SCHEMES.get(scope['scheme'], 'http')}://{hosts[0].decode('ascii').lower()}"
        context = context_of(scope)
        context.base_url = context.base_url or origin
        return self._open_refusal_of(scope, origin) if self._is_open else None

    def _open_refusal_of(self, scope: "Scope", own_origin: str) -> GatewayError | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in {b"forwarded", b"via"} or name.startswith(b"x-forwarded-"):
                return ForbiddenOriginError(
                    "A gateway without client authentication refuses forwarded requests "
                    f"({name.decode('latin-1')} is set)."
                )
            if name == b"origin" and name in headers:
                return ForbiddenOriginError("A request has at most one Origin header.")
            headers[name] = value
        origin = headers.get(b"origin")
        if origin is not None:
            text = origin.decode("latin-1")
            if _without_default_port(text) == _without_default_port(own_origin) or self._allows_origin(text):
                return None
            return ForbiddenOriginError(
                "The page's origin may not call the gateway; the operator can add it to CORS_ORIGINS."
            )
        if headers.get(b"sec-fetch-site") == b"cross-site" and not _is_page_visit(scope, headers):
            return ForbiddenOriginError("A page of another site may not call the gateway.")
        return None


@lru_cache(maxsize=256)
def host_name(host: bytes) -> str | None:
    """Return the name or address of a Host header, lower case, without port and brackets; None if it is malformed."""
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    return (match[1] or match[2]).decode("ascii").lower()


def _without_default_port(origin: str) -> str:
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], " "))


def _is_page_visit(scope: "Scope", headers: dict[bytes, bytes]) -> bool:
    path: str = scope["path"]
    return (
        scope.get("method") == "GET"
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and (path in _PAGES or path.startswith("/problems/"))
    )
