"""No client takes every connection to Gemini, and no call waits for a connection without an end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from app.clients.identity import Limits
from app.clients.keys import Keys
from app.store.clients import ClientStore
from app.store.database import open_database
from tests.answering import answering
from tests.gateway import Gateway, media, running_gateway
from tests.stores import database_url
from tests.waiting import eventually

MODEL = "gemini-3.8-flash"
CALL = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
# Of 8 connections one is for control calls, and a client may use 5 of the other 7.
CONNECTIONS, SHARE, CALLS = 8, 5, 7
FAR_BEYOND_S = 30.0


@dataclass(slots=True)
class Held:
    """An upstream whose model calls wait until they are let go; control calls are answered at once."""

    running: int = 0
    most: int = 0
    order: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "websocket" not in request.headers.get("Upgrade", ""):
            return web.json_response({"models": []})
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if request.headers.get("Upgrade"):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                await socket.receive()
                await socket.send_str('{"setupComplete": {}}')
                await self.may_end.wait()
                return socket
            body = await request.read()
            self.order.append(json.loads(body)["contents"][0]["parts"][0]["text"] if body else "")
            await self.may_end.wait()
            return web.json_response({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {}})
        finally:
            self.running -= 1


@dataclass(slots=True)
class Shared:
    """A gateway of few connections, its clients, and the upstream that holds them."""

    gateway: Gateway
    held: Held
    keys: Keys
    calls: list[asyncio.Task[httpx.Response]] = field(default_factory=list)

    async def key(self, name: str, **more: Any) -> str:
        return (await self.keys.create(name, now=time.time(), **more)).text

    def call(self, key: str, text: str = "Hello", path: str = CALL) -> asyncio.Task[httpx.Response]:
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        headers = {"x-goog-api-key": key}
        call = asyncio.create_task(self.gateway.client.post(path, json=body, headers=headers, timeout=60))
        self.calls.append(call)
        return call

    async def fill(self, key: str, count: int) -> list[asyncio.Task[httpx.Response]]:
        """Let a client make calls until the upstream holds them all."""
        calls = [self.call(key) for _ in range(count)]
        await self.holds(self.held.running + count)
        return calls

    async def holds(self, count: int) -> None:
        await eventually(lambda: self.held.running >= count)


@asynccontextmanager
async def shared(folder: Path, **settings: Any) -> AsyncIterator[Shared]:
    held = Held()
    chosen = {"client_auth": "keys", "upstream_connections": CONNECTIONS, "connection_wait_s": 0.5, **settings}
    async with (
        answering(held.answer) as upstream,
        running_gateway(upstream.url, folder, **chosen) as gateway,
        open_database(database_url(folder)) as database,
    ):
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, limits=limits) as client:
            service = Shared(Gateway(gateway.port, client), held, Keys(ClientStore(database)))
            try:
                yield service
            finally:
                held.may_end.set()
                await asyncio.gather(*service.calls, return_exceptions=True)


async def test_one_client_cannot_take_every_connection(tmp_path: Path) -> None:
    async with shared(tmp_path) as service:
        alice, bob = await service.key("alice"), await service.key("bob")
        await service.fill(alice, SHARE)

        refused = await service.call(alice)
        bobs = service.call(bob)
        await service.holds(SHARE + 1)
        service.held.may_end.set()
        answered = await bobs

    assert (refused.status_code, refused.json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert "share of the connections" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"] == "2"
    assert answered.status_code == 200


async def test_users_of_one_key_share_its_connections(tmp_path: Path) -> None:
    async with shared(tmp_path) as service:
        key = await service.key("app")
        headers = {"authorization": f"Bearer {key}"}
        tokens = [
            (await service.gateway.client.post("/api/v1/auth/tokens", json={"user": user}, headers=headers)).json()[
                "token"
            ]
            for user in ("u1", "u2")
        ]
        await service.fill(tokens[0], SHARE)

        refused = await service.call(tokens[1])
        other = service.call(await service.key("other"))
        await service.holds(SHARE + 1)
        service.held.may_end.set()
        answered = await other

    assert (refused.status_code, answered.status_code) == (503, 200)


async def test_free_connections_go_in_turn_to_the_clients_that_wait(tmp_path: Path) -> None:
    async with shared(tmp_path, connection_wait_s=FAR_BEYOND_S) as service:
        alice, bob, carol = [await service.key(name) for name in ("alice", "bob", "carol")]
        await service.fill(alice, SHARE)
        await service.fill(bob, CALLS - SHARE)
        service.held.order.clear()
        waiting = []
        for name, key in [("bob", bob)] * 3 + [("carol", carol)] * 3:
            waiting.append(service.call(key, name))
            await asyncio.sleep(0.1)

        assert service.held.running == CALLS
        service.held.may_end.set()
        await asyncio.gather(*waiting)

    assert service.held.most == CALLS
    assert sorted(service.held.order[:2]) == ["bob", "carol"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CALL, PROMPT),
        (STREAM, PROMPT),
        (f"/v1beta/models/{MODEL}:countTokens", PROMPT),
        ("/v1beta/openai/chat/completions", {"model": MODEL, "messages": []}),
        ("/v1beta/interactions", {"model": MODEL, "input": "Hello"}),
        ("/api/v1/chat", {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}),
    ],
)
async def test_no_free_connection_is_a_503_on_every_surface(tmp_path: Path, path: str, body: Any) -> None:
    async with shared(tmp_path) as service:
        alice, bob, carol = [await service.key(name) for name in ("alice", "bob", "carol")]
        await service.fill(alice, SHARE)
        await service.fill(bob, CALLS - SHARE)

        refused = await service.gateway.client.post(path, json=body, headers={"authorization": f"Bearer {carol}"})

    assert refused.status_code == 503
    assert "connections to Gemini are in use" in refused.text
    assert refused.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("path", "wait_s"),
    [("/api/v1/generate", FAR_BEYOND_S), ("/api/v1/images/captions", FAR_BEYOND_S), ("/api/v1/files", 0.5)],
)
async def test_a_deadline_that_strikes_while_no_connection_is_free_is_busy_and_not_late(
    tmp_path: Path, path: str, wait_s: float
) -> None:
    async with shared(tmp_path, connection_wait_s=wait_s) as service:
        alice, bob, carol = [await service.key(name) for name in ("alice", "bob", "carol")]
        await service.fill(alice, SHARE)
        await service.fill(bob, CALLS - SHARE)

        parts: list[Any] = [("file", media("shapes.png"))]
        parts += [] if path.endswith("files") else [("timeout_s", (None, "3"))]
        parts += [("prompt", (None, "Hello"))] if path.endswith("generate") else []
        refused = await service.gateway.client.post(
            path, files=parts[::-1], headers={"authorization": f"Bearer {carol}"}
        )

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert refused.json()["retry_after_s"] == 2


async def test_control_calls_have_connections_of_their_own(tmp_path: Path) -> None:
    async with shared(tmp_path, models_cache_s=0) as service:
        alice, bob = await service.key("alice"), await service.key("bob")
        await service.fill(alice, SHARE)
        await service.fill(bob, CALLS - SHARE)

        native = await service.gateway.client.get("/v1beta/models", headers={"x-goog-api-key": alice})
        rest = await service.gateway.client.get("/api/v1/models", headers={"authorization": f"Bearer {alice}"})
        health = await service.gateway.client.get("/healthz")

    assert [answer.status_code for answer in (native, rest, health)] == [200, 200, 200]


async def test_a_refused_call_costs_nothing(tmp_path: Path) -> None:
    async with shared(tmp_path) as service:
        alice = await service.key("alice")
        await service.fill(alice, SHARE)
        bob = await service.key("bob", limits=Limits(tokens_per_day=20_000))
        await service.fill(await service.key("carol"), CALLS - SHARE)

        refused = [await service.call(bob) for _ in range(3)]
        service.held.may_end.set()
        await asyncio.gather(*service.calls)
        answered = await service.call(bob)

    assert [answer.status_code for answer in refused] == [503] * 3
    # Three reservations of 8,192 tokens would have used the day up.
    assert answered.status_code == 200


async def test_a_call_whose_client_leaves_while_it_waits_keeps_no_connection(tmp_path: Path) -> None:
    async with shared(tmp_path, connection_wait_s=FAR_BEYOND_S) as service:
        alice, bob = await service.key("alice"), await service.key("bob")
        await service.fill(alice, SHARE)
        await service.fill(bob, CALLS - SHARE)
        waiting = [service.call(bob, "gone") for _ in range(3)]
        await asyncio.sleep(0.3)
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        service.held.may_end.set()
        await asyncio.gather(*service.calls, return_exceptions=True)
        answered = await asyncio.gather(*(service.call(bob) for _ in range(SHARE)))

    assert [answer.status_code for answer in answered] == [200] * SHARE
    assert "gone" not in service.held.order


async def test_live_sessions_count_against_their_clients_share(tmp_path: Path) -> None:
    async with shared(tmp_path) as service:
        alice, bob = await service.key("alice"), await service.key("bob")
        sockets = []
        for _ in range(SHARE):
            socket = await connect(
                f"ws://127.0.0.1:{service.gateway.port}{LIVE}", additional_headers={"x-goog-api-key": alice}, proxy=None
            )
            await socket.send(json.dumps({"setup": {"model": f"models/{MODEL}"}}))
            assert json.loads(await socket.recv()) == {"setupComplete": {}}
            sockets.append(socket)

        refused = await service.call(alice)
        bobs = service.call(bob)
        await service.holds(SHARE + 1)
        for socket in sockets:
            await socket.close()
        service.held.may_end.set()
        await eventually(lambda: service.held.running == 0)
        again = await service.call(alice)

    assert (refused.status_code, (await bobs).status_code, again.status_code) == (503, 200, 200)


async def test_an_open_gateway_uses_every_connection(tmp_path: Path) -> None:
    async with shared(tmp_path, client_auth="none") as service:
        await service.fill("anybody", CALLS)

        refused = await service.call("anybody")

    assert refused.status_code == 503
    assert "All 7 connections" in refused.json()["error"]["message"]
