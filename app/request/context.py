"""The context of a request: every fact that one part of the gateway finds out and another part needs.

    connection (hang-up) ──> access log (id) ──> guard (base URL) ──> authentication (target, client) ──> usage

The context is the only key that the gateway itself adds to an ASGI scope. It decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from app.clients.identity import Client
from app.errors import GatewayError
from app.request.operation import UNKNOWN, Target
from app.request.query import RequestQuery
from app.request.usage import RequestUsage

if TYPE_CHECKING:
    from starlette.types import Scope

_KEY = "gateway"
_arrivals = count()


def _never() -> bool:
    return False


@dataclass(slots=True, eq=False)
class RequestContext:
    """The facts about one request, HTTP or WebSocket.

    `arrival` grows in the order in which requests arrived in this process. `hangup` is a future, done when the client
    has left; None for a request without a connection. `is_body_here` returns whether a part of the body waits to be
    read. `refusal` is an error that the connection found in the head. `base_url` is PUBLIC_URL, or the scheme and host
    of the request, without a trailing slash. `target` is the requested operation. `usage` is None until the client is
    known. `client_again` judges the credential of a WebSocket again: it returns the client with its current rights, or
    raises authentication's errors. `problem` is the code of the error with which the request was answered.
    `is_shutdown` says that the server's own end has closed a WebSocket.
    """

    hangup: "asyncio.Future[None] | None" = None
    is_body_here: Callable[[], bool] = _never
    refusal: GatewayError | None = None
    request_id: str = ""
    base_url: str = ""
    query: RequestQuery | None = None
    target: Target = UNKNOWN
    usage: RequestUsage | None = None
    client_again: "Callable[[], Awaitable[Client]] | None" = None
    problem: str | None = None
    is_shutdown: bool = False
    arrival: int = field(default_factory=_arrivals.__next__)

    def place(self, scope: "Scope") -> None:
        """Make this the context of a scope."""
        scope[_KEY] = self


def context_of(scope: "Scope") -> RequestContext:
    """Return the context of a request, or a new context if its connection has placed none (as for WebSockets)."""
    context: RequestContext | None = scope.get(_KEY)
    if context is None:
        context = scope[_KEY] = RequestContext()
    return context


def parsed_query(scope: "Scope") -> RequestQuery:
    """Return the request's query, parsed once. Raises MalformedRequestError as `RequestQuery.parse` does."""
    context = context_of(scope)
    if context.query is None:
        context.query = RequestQuery.parse(scope["query_string"])
    return context.query


def usage_of(scope: "Scope") -> RequestUsage:
    """Return the usage of a request, with its authenticated client.

    Raises LookupError if authentication has set no client. There is no client to fall back to, so that a request which
    bypassed authentication can do nothing.
    """
    usage = context_of(scope).usage
    if usage is None:
        raise LookupError("authentication has set no client for this request")
    return usage


def client_of(scope: "Scope") -> Client:
    """Return the authenticated client of a request. Raises LookupError like `usage_of`."""
    return usage_of(scope).client
