"""Finds each request's client and checks its right to the operation, before the body is asked for.

    target ──> public: anyone ── else a credential (or an upload's own address) ──> client ──> the operation's scope

A path that does not exist needs a credential too. This module knows no path or operation by name.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from app.clients.authenticator import Authenticator, Presented, require
from app.clients.identity import Client
from app.edge.reply import reply
from app.errors import GatewayError, Surface, surface_of
from app.request.context import context_of, parsed_query
from app.request.operation import Access, Target
from app.request.usage import RequestUsage

_API_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key"})
_READ = _API_KEY_HEADERS | {b"authorization", b"origin", b"x-firebase-appcheck"}
# Google's clients may put their key into the query; the REST surface accepts no secret in a URL, which proxies log.
_TAKE_QUERY_KEY = frozenset({Surface.GOOGLE, Surface.INTERACTIONS})


class Authentication:
    """ASGI middleware: the only place that decides which client a request is from, and whether the client may proceed.

    It puts the request's target into its context and, unless the target is public, starts its usage with the client.
    For a WebSocket it also puts `client_again` into the context, to judge the credential again during a session.

    `find` returns the target of a request. `authenticator` returns the authenticator opened by the lifespan.
    `by_address` returns the client of a request without a credential to the address of an upload session, which is
    itself the credential of that session.
    """

    def __init__(
        self,
        app: ASGIApp,
        find: Callable[[Scope], Target],
        authenticator: Callable[[], Authenticator],
        by_address: Callable[[Scope], Awaitable[Client | None]],
    ) -> None:
        self._app = app
        self._find = find
        self._authenticator = authenticator
        self._by_address = by_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the client and call the application. Raises UnauthenticatedError and ForbiddenError."""
        if scope["type"] != "lifespan":
            context = context_of(scope)
            context.target = self._find(scope)
            access = context.target.access
            if not access.is_public:
                try:
                    client = await self._client(scope, access)
                    context.usage = RequestUsage(client)
                    if access.scope is not None and access.scope not in client.scopes:
                        require(client, access.scope)
                except GatewayError as error:
                    await reply(scope, send, error)
                    return
        await self._app(scope, receive, send)

    async def _client(self, scope: Scope, access: Access) -> Client:
        # An unreadable query is refused here, on every surface, so that no later code reads it in another way.
        query = parsed_query(scope)
        takes_query_key = surface_of(scope["path"]) in _TAKE_QUERY_KEY
        found = presented(scope["headers"], query.values("key") if takes_query_key else ())
        if access.has_address and not found.has_credential:
            client = await self._by_address(scope)
            if client is not None:
                return client
        authenticator = self._authenticator()
        if scope["type"] == "websocket":
            context_of(scope).client_again = partial(self._client_again, found, access)
        return authenticator.recalled(found) or await authenticator.authenticate(found)

    async def _client_again(self, found: Presented, access: Access) -> Client:
        client = await self._authenticator().authenticate_again(found)
        if access.scope is not None:
            require(client, access.scope)
        return client


def presented(headers: Iterable[tuple[bytes, bytes]], query_keys: tuple[str, ...]) -> Presented:
    """Return the credentials in a request's head. `query_keys` are the keys in the query, if its surface allows any."""
    bearers: list[str] = []
    # The JavaScript SDK's Live and curl put the key into the query.
    api_keys = [*query_keys]
    origin = app_check = None
    for name, value in headers:
        if name not in _READ:
            continue
        text = value.decode("latin-1")
        if name == b"authorization":
            kind, _, credential = text.partition(" ")
            bearers.append(credential.strip() if kind.lower() == "bearer" else text)
        elif name == b"origin":
            origin = text
        elif name == b"x-firebase-appcheck":
            app_check = text
        else:
            api_keys.append(text)
    # A second Authorization is one credential too many, and is refused as such by the authenticator.
    return Presented(bearers[0] if bearers else None, (*api_keys, *bearers[1:]), origin, app_check)
