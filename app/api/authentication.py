"""Who calls: each request's client is found, and what it may do is checked, before its body is asked for.

    pages and probes: anyone ── everything else: a credential ── an operation: its scope

A path that is not known here needs a credential too, so that what is added later is closed until it is opened.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from app.clients.authenticator import Authenticator, Presented, require
from app.clients.identity import Scope as Permission
from app.edge.reply import reply
from app.errors import GatewayError, Surface, surface_of

PUBLIC = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
PUBLIC_BELOW = ("/docs/", "/problems/")
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
"""What our own paths that begin so need; any other of them needs a credential and no scope."""
OPENAI_AUDIO = ("/v1/openai/audio/", "/v1beta/openai/audio/", "/v1alpha/openai/audio/")
"""Tasks of ours at OpenAI's addresses; Google's other paths need `native`."""
API_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key"})
_READ = API_KEY_HEADERS | {b"authorization", b"origin", b"x-firebase-appcheck"}


class Access(NamedTuple):
    """Who may come to a path: anyone, or a client that has the scope (None: any client).

    `takes_key` says that Google's clients may put their key in its query, `has_own_credential` that an upload's own
    address may lie there.
    """

    is_public: bool
    permission: Permission | None
    takes_key: bool
    has_own_credential: bool


def access_of(path: str) -> Access:
    """Tell who may come to a path."""
    # What is remembered stays small, whatever clients send.
    return _remembered(path) if len(path) <= _LONGEST_REMEMBERED else _access_of(path)


_LONGEST_REMEMBERED = 200


def _access_of(path: str) -> Access:
    surface = surface_of(path)
    return Access(
        path in PUBLIC or path.startswith(PUBLIC_BELOW),
        _needed(path, surface),
        # Our own surface takes no secret in an address.
        surface is Surface.GOOGLE or surface is Surface.INTERACTIONS,
        path.startswith("/upload/"),
    )


_remembered = lru_cache(maxsize=1_024)(_access_of)


def _needed(path: str, surface: Surface) -> Permission | None:
    if surface is not Surface.REST:
        return Permission.TASKS if path.startswith(OPENAI_AUDIO) else Permission.NATIVE
    return next((permission for prefix, permission in NEEDED_BELOW if path.startswith(prefix)), None)


class Authentication:
    """ASGI middleware that sets `scope["gateway.client"]`; `authenticator` gives what the lifespan has opened."""

    def __init__(self, app: ASGIApp, authenticator: Callable[[], Authenticator]) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the client, then pass on; or refuse."""
        access = None if scope["type"] == "lifespan" else access_of(scope["path"])
        if access is not None and not access.is_public:
            found = presented(scope, takes_key=access.takes_key)
            if not access.has_own_credential or not _is_own_address(scope, found):
                try:
                    authenticator = self._authenticator()
                    client = authenticator.recalled(found) or await authenticator.authenticate(found)
                    if access.permission is not None and access.permission not in client.scopes:
                        require(client, access.permission)
                except GatewayError as error:
                    await reply(scope, send, error)
                    return
                scope["gateway.client"] = client
        await self._app(scope, receive, send)


def _is_own_address(scope: Scope, found: Presented) -> bool:
    """Whether a request goes to an upload's own address, which is its credential (whoever serves it checks that)."""
    if found.bearer or any(found.api_keys):
        return False
    return b"upload_id=" in scope["query_string"]


def presented(scope: Scope, *, takes_key: bool) -> Presented:
    """Collect the credentials of a request's head, and where that `takes_key`, of its query."""
    bearers: list[str] = []
    api_keys: list[str] = []
    origin = app_check = None
    for name, value in scope["headers"]:
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
    if takes_key and scope["query_string"]:
        # Where curl and the JavaScript SDK's Live put it.
        api_keys += [value for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name == "key"]
    # A second Authorization is one credential too many: it is judged as any other.
    return Presented(bearers[0] if bearers else None, (*api_keys, *bearers[1:]), origin, app_check)
