"""Who calls: each request's client is found, and what it may do is checked, before its body is asked for.

    pages and probes: anyone ── everything else: a credential ── an operation: its scope

A path that is not known here needs a credential too, so that what is added later is closed until it is opened.
"""

from collections.abc import Callable
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


class Authentication:
    """ASGI middleware that sets `scope["gateway.client"]`; `authenticator` gives what the lifespan has opened."""

    def __init__(self, app: ASGIApp, authenticator: Callable[[], Authenticator]) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the client, then pass on; or refuse."""
        if scope["type"] != "lifespan" and not is_public(scope["path"]):
            found = presented(scope)
            if has_own_credential(scope, found):
                await self._app(scope, receive, send)
                return
            try:
                authenticator = self._authenticator()
                client = authenticator.recalled(found) or await authenticator.authenticate(found)
                permission = needed(scope["path"])
                if permission is not None:
                    require(client, permission)
            except GatewayError as error:
                await reply(scope, send, error)
                return
            scope["gateway.client"] = client
        await self._app(scope, receive, send)


def is_public(path: str) -> bool:
    """Whether anyone may see what stands at a path."""
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


def needed(path: str) -> Permission | None:
    """Give the scope that a path needs, None when any client will do."""
    if surface_of(path) is not Surface.REST:
        return Permission.TASKS if path.startswith(OPENAI_AUDIO) else Permission.NATIVE
    for prefix, permission in NEEDED_BELOW:
        if path.startswith(prefix):
            return permission
    return None


def has_own_credential(scope: Scope, presented: Presented) -> bool:
    """Whether a request goes to an upload's own address, which is its credential (whoever serves it checks that)."""
    if not scope["path"].startswith("/upload/") or presented.bearer or any(presented.api_keys):
        return False
    return b"upload_id=" in scope["query_string"]


def presented(scope: Scope) -> Presented:
    """Collect the credentials of a request's head."""
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
    if scope["query_string"] and surface_of(scope["path"]) in {Surface.GOOGLE, Surface.INTERACTIONS}:
        # Where curl and the JavaScript SDK's Live put it. Our own surface takes no secret in an address.
        api_keys += [value for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name == "key"]
    # A second Authorization is one credential too many: it is judged as any other.
    return Presented(bearers[0] if bearers else None, (*api_keys, *bearers[1:]), origin, app_check)
