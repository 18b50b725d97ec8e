"""Authentication: each request's client is identified, and its permission checked, before its body is read.

    pages and probes: anyone ── everything else: a credential ── an operation: its scope

An unknown path needs a credential too, so that a new path is closed until it is opened.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache, partial
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from app.clients.authenticator import Authenticator, Presented, require
from app.clients.identity import Client
from app.clients.identity import Scope as Permission
from app.edge.reply import reply
from app.errors import GatewayError, Surface, surface_of
from app.request.context import context_of, parsed_query
from app.request.usage import RequestUsage

PUBLIC = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
PUBLIC_BELOW = ("/docs/", "/problems/")
# The scope of the gateway's own paths by their beginning; other own paths need a credential, but no scope.
NEEDED_BELOW = (
    ("/api/v1/generate", Permission.GENERATE),
    ("/api/v1/chat", Permission.GENERATE),
    ("/api/v1/count-tokens", Permission.GENERATE),
    ("/api/v1/files", Permission.FILES),
    ("/api/v1/images/", Permission.TASKS),
    ("/api/v1/audio/", Permission.TASKS),
    ("/api/v1/documents/", Permission.TASKS),
    ("/api/v1/videos/", Permission.TASKS),
)
# The gateway's own tasks at OpenAI's paths; Google's other paths need `native`.
OPENAI_AUDIO = ("/v1/openai/audio/", "/v1beta/openai/audio/", "/v1alpha/openai/audio/")
API_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key"})
_READ = API_KEY_HEADERS | {b"authorization", b"origin", b"x-firebase-appcheck"}


class Access(NamedTuple):
    """The access rule of a path: anyone, or a client with the scope (None: any client).

    `takes_key`: Google's clients may send their key in the query. `has_own_credential`: the path may be the URL of an
    upload, which is itself the credential.
    """

    is_public: bool
    permission: Permission | None
    takes_key: bool
    has_own_credential: bool


def access_of(path: str) -> Access:
    """Return the access rule of a path."""
    # Only short paths are cached, so that clients cannot fill the memory.
    return _remembered(path) if len(path) <= _LONGEST_REMEMBERED else _access_of(path)


_LONGEST_REMEMBERED = 200


def _access_of(path: str) -> Access:
    surface = surface_of(path)
    return Access(
        path in PUBLIC or path.startswith(PUBLIC_BELOW),
        _needed(path, surface),
        # The gateway's own surface accepts no secret in a URL.
        surface is Surface.GOOGLE or surface is Surface.INTERACTIONS,
        path.startswith("/upload/"),
    )


_remembered = lru_cache(maxsize=1_024)(_access_of)


def _needed(path: str, surface: Surface) -> Permission | None:
    if surface is not Surface.REST:
        return Permission.TASKS if path.startswith(OPENAI_AUDIO) else Permission.NATIVE
    return next((permission for prefix, permission in NEEDED_BELOW if path.startswith(prefix)), None)


class Authentication:
    """ASGI middleware: the only place that decides which client a request is from.

    It begins the usage, with the client, of each request that it passes on, pages and probes excepted. `authenticator`
    returns the authenticator that the lifespan has opened. `by_address` returns the client of a request without a
    credential if the request goes to the address of an upload session, which is the credential of that session. For a
    WebSocket it also leaves the way to judge the credential again.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Callable[[], Authenticator],
        by_address: Callable[[Scope], Awaitable[Client | None]],
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._by_address = by_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify the client and call the application, or refuse."""
        access = None if scope["type"] == "lifespan" else access_of(scope["path"])
        if access is not None and not access.is_public:
            try:
                client = await self._client(scope, access)
                if access.permission is not None and access.permission not in client.scopes:
                    require(client, access.permission)
            except GatewayError as error:
                await reply(scope, send, error)
                return
            context_of(scope).usage = RequestUsage(client)
        await self._app(scope, receive, send)

    async def _client(self, scope: Scope, access: Access) -> Client:
        # A query that cannot be read is refused here, on every surface: nothing behind reads it another way.
        query = parsed_query(scope)
        found = presented(scope["headers"], query.values("key") if access.takes_key else ())
        if access.has_own_credential and not found.has_credential:
            client = await self._by_address(scope)
            if client is not None:
                return client
        authenticator = self._authenticator()
        if scope["type"] == "websocket":
            context_of(scope).client_again = partial(self._client_again, found, access)
        return authenticator.recalled(found) or await authenticator.authenticate(found)

    async def _client_again(self, found: Presented, access: Access) -> Client:
        client = await self._authenticator().authenticate_again(found)
        if access.permission is not None:
            require(client, access.permission)
        return client


def presented(headers: Iterable[tuple[bytes, bytes]], query_keys: tuple[str, ...]) -> Presented:
    """Return the credentials of a request's head. `query_keys` are those of its query, if its path takes any there."""
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
    # A second Authorization is one credential too many: it is judged as any other.
    return Presented(bearers[0] if bearers else None, (*api_keys, *bearers[1:]), origin, app_check)
