"""No handler runs without a client that was decided on: every handler of the real application is watched.

The requests are made from the operations that the application declares, so that a new route is attacked by itself.
"""

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount, Route
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from app import main
from app.api.direct import DIRECT, RestRoutes
from app.clients.identity import Scope
from app.gemini.credentials import ApiKey
from app.native.app import Handler
from app.native.handlers import HANDLERS
from app.native.routes import operations
from app.native.services import NativeCall
from app.request.context import context_of
from app.request.operation import Operation
from app.settings import Settings
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.hostile.wire import Answers, each, exchange, request
from tests.sizes import examples, some
from tests.stores import selected

HANDSHAKE = ("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "A" * 22)
LIVE_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY")
QUERIES = (
    "", "upload_id=", "upload_id={bad}", "upload_id={token}", "xupload_id={token}", "a=upload_id={token}",
    "upload_id={token}&upload_id={token}", "upload_id={token}%00", "upload%5Fid={token}", "key={key}", "key=&key={key}",
    "uploadType=media", "uploadType=resumable&upload_id=", "upload_id=%zz",
)  # fmt: skip
SPELLINGS = ("{0}", "/{0}", "{0}/", "{0};a=b", "{0}%00", "/docs/..{0}", "/healthz/..{0}", "//127.0.0.1{0}", "{0}%0a")


@dataclass
class Watch:
    """The handlers that ran, as (name, client, violated rule); the rule is "" if the request had a right to it."""

    ran: list[tuple[str, str | None, str]] = field(default_factory=list)

    def note(self, name: str, operation: Operation | None, scope: AsgiScope) -> None:
        """Record a handler that is about to run for an operation."""
        context = context_of(scope)
        client = None if context.usage is None else context.usage.client
        self.ran.append((name, None if client is None else client.id, self._violation(operation, scope)))

    def _violation(self, operation: Operation | None, scope: AsgiScope) -> str:
        context = context_of(scope)
        if operation is None or operation != context.target.operation:
            return "another operation than the one that was judged"
        access = operation.access
        if access.is_public:
            return ""
        if context.usage is None:
            return "no client"
        if access.scope is not None and access.scope not in context.usage.client.scopes:
            return "no scope"
        return ""


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers, and the id of the client that they stand for, None for headers that stand for nobody."""

    headers: tuple[str, ...]
    client: str | None


EMPTY = (Credential((), None), Credential(("Authorization: Bearer ", "x-api-key:"), None))
BAD = ("none", "blank", "basic", "unknown", "revoked", "expired", "cut", "token", "two", "local")
GOOD = ("all", *(f"only {scope}" for scope in Scope))


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway whose handlers are watched, an upload session, and credentials of every kind."""

    closed: Closed
    watch: Watch
    owner: str
    token: str
    key: str
    credentials: Mapping[str, Credential]


def watched(watch: Watch, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    named = {operation.operation_id: operation for operation in operations()}

    def wrapped(name: str, handler: Handler) -> Handler:
        async def run(scope: AsgiScope, receive: Receive, send: Send, call: NativeCall) -> None:
            watch.note(name, named[name], scope)
            await handler(scope, receive, send, call)

        return run

    return {name: wrapped(name, handler) for name, handler in handlers.items()}


def watch_routes(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch FastAPI's routes, and the endpoints that are called without it."""
    for kind in (APIRoute, Route, Mount):
        handle = kind.handle

        async def run(
            self: Route | Mount, scope: AsgiScope, receive: Receive, send: Send, *, handle: Any = handle
        ) -> None:
            operation = context_of(scope).target.operation
            is_it = operation is not None and operation.path == self.path
            methods = None if isinstance(self, Mount) else self.methods
            # A route is asked for its 405 too, which is no run of its endpoint.
            if methods is None or scope["method"] in methods:
                watch.note(self.path, operation if is_it else None, scope)
            await handle(self, scope, receive, send)

        monkeypatch.setattr(kind, "handle", run)

    class WatchedRoutes(RestRoutes):
        async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
            operation = None if scope["type"] == "lifespan" else context_of(scope).target.operation
            if operation is not None and operation.operation_id in DIRECT:
                watch.note(operation.path, operation, scope)
            await super().__call__(scope, receive, send)

    monkeypatch.setattr(main, "RestRoutes", WatchedRoutes)


async def credentials_of(closed: Closed, folder: Path) -> tuple[str, dict[str, Credential]]:
    """Return a key with every right, and credentials: good, bad, ended, doubled and narrow."""
    keys = {"all": await closed.key("all", scopes=set(Scope))}
    keys |= {f"only {scope}": await closed.key(f"only-{scope}", scopes={scope}) for scope in Scope}
    revoked, expired = await closed.key("revoked"), await closed.key("expired", expires_in_s=-1)
    await closed.keys.revoke("revoked", now=time.time())
    names = dict(await selected(folder, "SELECT name, id FROM clients"))
    good = {
        name: Credential((f"Authorization: Bearer {key}",), names[name.replace(" ", "-")]) for name, key in keys.items()
    }
    key = keys["all"]
    bad = {
        "none": EMPTY[0].headers,
        "blank": EMPTY[1].headers,
        "basic": ("Authorization: Basic YTpi",),
        "unknown": ("Authorization: Bearer gg_nothing",),
        "revoked": (f"Authorization: Bearer {revoked}",),
        "expired": (f"x-goog-api-key: {expired}",),
        "cut": (f"x-api-key: {key[:-1]}",),
        "token": ("Authorization: Bearer ggt_e30.AAAA",),
        "two": (f"Authorization: Bearer {key}", f"x-api-key: {keys['only files']}"),
        "local": ("x-api-key: local",),
    }
    return key, good | {name: Credential(headers, None) for name, headers in bad.items()}


@pytest.fixture(scope="module")
async def target(_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    folder, watch = tmp_path_factory.mktemp("handlers"), Watch()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(main, "HANDLERS", watched(watch, HANDLERS))
        watch_routes(watch, monkeypatch)
        async with closed_gateway(_emulator, folder) as closed:
            key, credentials = await credentials_of(closed, folder)
            start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
            answer = await closed.call("POST", "/upload/v1beta/files", key, json={"file": {}}, headers=start)
            token = str(answer.headers["x-goog-upload-url"]).partition("upload_id=")[2].partition("&")[0]
            watch.ran.clear()
            yield Target(closed, watch, credentials["all"].client or "", token, key, credentials)


def paths() -> list[str]:
    """Return a path for each operation that the application declares, and some that it lacks."""
    rest = main.rest_operations(main.create_api(Settings(_env_file=None), ApiKey("any"))).operations
    declared = [operation.path for operation in (*rest, *operations())]
    filled = {
        path.replace("{version}", "v1beta").replace("{name}", "nothing").replace("{file_id}", "file_nothing")
        .replace("{filename}", "a.txt").replace("{model_id:path}", "gemini-3.8-flash").replace("{code}", "not-found")
        for path in declared
    }  # fmt: skip
    return [*sorted(filled), LIVE_PATH, "/v1beta/tunedModels", "/api/v2/files", "/upload/v1beta/files/x", "/upload/"]


PATHS = paths()


async def attack(target: Target, path: str, method: str, credential: Credential, query: str) -> Answers:
    filled = query.format(token=target.token, bad=secrets.token_urlsafe(32), key=target.key)
    sent = (*credential.headers, "Content-Type: application/json", *(HANDSHAKE if path == LIVE_PATH else ()))
    # A command that changes nothing, where an upload's session is reached.
    sent += ("X-Goog-Upload-Command: query", "X-Goog-Upload-Protocol: raw")
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""
    return await exchange(
        target.closed.gateway.port,
        request(f"{path}?{filled}" if filled else path, *sent, method=method, body=body),
        ends=path != LIVE_PATH,
    )


def wrong(target: Target, credential: Credential, query: str) -> list[tuple[str, str | None, str]]:
    """Return the handlers that ran without a right to, and forget all that ran."""
    ran, target.watch.ran = target.watch.ran, []
    allowed = {None, credential.client}
    if credential in EMPTY and ("{token}" in query or "{key}" in query):
        allowed.add(target.owner)
    return [each for each in ran if each[2] or each[1] not in allowed]


CASES = list(itertools.product(PATHS, METHODS, QUERIES))


async def test_the_watch_sees_every_kind_of_handler(target: Target) -> None:
    everything = target.credentials["all"]
    asked = {
        "/api/v1/generate": "POST",
        "/api/v1/models": "GET",
        "/healthz": "GET",
        "/docs/assets/swagger-ui.css": "GET",
        "/v1beta/models": "GET",
        "/v1beta/openai/audio/transcriptions": "POST",
    }
    for path, method in asked.items():
        await attack(target, path, method, everything, "")

    names = [name for name, _, _ in target.watch.ran]
    assert names == [
        "/api/v1/generate", "/api/v1/models", "/healthz", "/docs/assets", "native.models.list",
        "/v1beta/openai/audio/transcriptions",
    ]  # fmt: skip
    assert wrong(target, everything, "") == []


@pytest.mark.parametrize("name", BAD)
async def test_no_handler_runs_without_a_decided_client(target: Target, name: str) -> None:
    credential = target.credentials[name]
    found = []

    async def one(case: tuple[str, str, str]) -> None:
        path, method, query = case
        await attack(target, path, method, credential, query)

    for query in QUERIES:
        # Uploads alone may come without a credential, so every query is tried on them.
        uploads = [("/upload/v1beta/files", method, query) for method in METHODS]
        await each([*uploads, *some([case for case in CASES if case[2] == query], 25)], one)
        found += [(query, *ran) for ran in wrong(target, credential, query)]

    assert found == []


@pytest.mark.parametrize("name", GOOD)
async def test_a_handler_runs_for_the_client_of_the_credential_alone(target: Target, name: str) -> None:
    credential = target.credentials[name]

    async def one(case: tuple[str, str, str]) -> None:
        path, method, query = case
        await attack(target, path, method, credential, query)

    plain = [case for case in CASES if not case[2] and case[1] in {"GET", "POST"}]
    await each([*plain, *some(CASES, 100)], one)
    has_run = bool(target.watch.ran)

    assert wrong(target, credential, "") == []
    assert has_run


@examples(300, nightly=5_000)
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(METHODS),
    name=st.sampled_from((*BAD, *GOOD)),
    query=st.lists(st.sampled_from(QUERIES), min_size=1, max_size=3).map("&".join),
    spelling=st.lists(st.sampled_from(SPELLINGS), max_size=2),
    more=st.text(st.sampled_from("/.%;?&=#\\02efAC"), max_size=4),
)
async def test_no_combination_of_oddities_reaches_a_handler_without_a_right(
    target: Target, path: str, method: str, name: str, query: str, spelling: list[str], more: str
) -> None:
    for each_spelling in spelling:
        path = each_spelling.format(path)
    credential = target.credentials[name]

    await attack(target, path + more, method, credential, query)

    assert wrong(target, credential, query) == []
