"""Live through the gateway: frames as they came, the key swapped, other clients' files unreachable, codes kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.clients.identity import Limits, Scope
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.test_isolation import uploaded
from tests.waiting import eventually, eventually_is

MODEL = "gemini-3.8-flash"
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
HELLO = {"contents": [{"parts": [{"text": "Hello"}]}]}
SETUP = {"setup": {"model": f"models/{MODEL}"}}


@asynccontextmanager
async def session(closed: Closed, key: str | None, path: str = PATH, **more: Any) -> AsyncIterator[ClientConnection]:
    headers = {} if key is None else {"x-goog-api-key": key}
    async with connect(
        f"ws://127.0.0.1:{closed.gateway.port}{path}", additional_headers=headers, proxy=None, **more
    ) as socket:
        yield socket


async def say(socket: ClientConnection, message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await socket.recv()))


async def begun(socket: ClientConnection, **setup: Any) -> None:
    await say(socket, {"setup": {**SETUP["setup"], **setup}})
    assert await hear(socket) == {"setupComplete": {}}


def content(*parts: Any) -> dict[str, Any]:
    return {"client_content": {"turns": [{"role": "user", "parts": list(parts)}], "turn_complete": True}}


async def turn(socket: ClientConnection) -> str:
    text = ""
    while True:
        server = (await hear(socket)).get("serverContent", {})
        text += "".join(part.get("text", "") for part in server.get("modelTurn", {}).get("parts", []))
        if server.get("turnComplete"):
            return text


async def closing(socket: ClientConnection) -> tuple[int, str]:
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code or 0, socket.close_reason or ""


@pytest.mark.parametrize("path", [PATH, f"/{PATH}"])
async def test_a_turn_is_answered(closed: Closed, emulator: Emulator, path: str) -> None:
    key = await closed.key("web")

    async with session(closed, key, path) as socket:
        await begun(socket)
        await say(socket, content({"text": "Hello"}))
        text = await turn(socket)

    assert "prompt: Hello" in text
    [arrived] = emulator.requests("live")
    assert arrived["key_seen"] is True
    assert key not in json.dumps(arrived)


async def test_a_key_may_stand_in_the_query_as_the_javascript_sdk_puts_it(closed: Closed) -> None:
    async with session(closed, None, f"{PATH}?key={await closed.key('web')}") as socket:
        await begun(socket)


@pytest.mark.parametrize("key", [None, "gg_nothing"])
async def test_nobody_gets_in_without_a_key(closed: Closed, emulator: Emulator, key: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with session(closed, key):
            pass

    assert refused.value.response.status_code == 401
    assert emulator.requests("live") == []


async def test_it_needs_the_native_scope_and_its_operators_leave(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, native_resources="models") as closed:
        keys = [await closed.key("a", scopes={Scope.GENERATE}), await closed.key("b")]
        for key in keys:
            with pytest.raises(InvalidStatus) as refused:
                async with session(closed, key):
                    pass
            assert refused.value.response.status_code == 403


async def test_clients_with_limits_in_tokens_have_none_unless_told(emulator: Emulator, tmp_path: Path) -> None:
    for is_allowed, folder in ((False, tmp_path / "a"), (True, tmp_path / "b")):
        folder.mkdir()
        async with closed_gateway(emulator, folder, allow_deferred_costs=is_allowed) as closed:
            key = await closed.key("web", limits=Limits(tokens_per_day=10**6))
            if is_allowed:
                async with session(closed, key) as socket:
                    await begun(socket)
            else:
                with pytest.raises(InvalidStatus):
                    async with session(closed, key):
                        pass


async def test_a_session_holds_a_slot_until_it_ends(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(concurrent_requests=1))

    async with session(closed, key) as socket:
        await begun(socket)
        with pytest.raises(InvalidStatus) as refused:
            async with session(closed, key):
                pass
        asked = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=HELLO)

    async def is_free() -> bool:
        answer = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=HELLO)
        return bool(answer.status_code == 200)

    assert refused.value.response.status_code == 429
    assert asked.status_code == 429
    await eventually_is(is_free)


async def test_a_shut_down_models_name_is_its_replacements(closed: Closed, emulator: Emulator) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket, model="models/gemini-2.0-flash")

    await eventually(lambda: emulator.requests("live")[0]["json"] is not None)
    assert emulator.requests("live")[0]["json"][0]["setup"]["model"] == "models/gemini-3.5-flash-lite"


async def test_only_the_models_of_a_client_are_asked(closed: Closed) -> None:
    async with session(closed, await closed.key("web", models={"gemini-3.5-flash"})) as socket:
        await say(socket, SETUP)
        code, reason = await closing(socket)

    assert code == 1008
    assert "may not use the model" in reason


async def test_a_file_of_the_clients_own_is_seen_and_anothers_is_not(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    file = await uploaded(closed, mine, b"some text")
    part = {"file_data": {"file_uri": file["uri"], "mime_type": "text/plain"}}

    async with session(closed, mine) as socket:
        await begun(socket)
        await say(socket, content({"text": "What?"}, part))
        seen = await turn(socket)
    async with session(closed, other) as socket:
        await begun(socket)
        await say(socket, content(part))
        code, reason = await closing(socket)

    assert "text/plain 9 bytes" in seen
    assert code == 1008
    assert "or it may not exist" in reason
    assert file["name"] not in json.dumps(emulator.requests("live")[1]["json"])


async def test_a_session_is_resumed_by_its_client_alone(closed: Closed) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    async with session(closed, mine) as socket:
        await begun(socket, session_resumption={})
        await hear(socket)
        await say(socket, content({"text": "One"}))
        await turn(socket)
        handle = (await hear(socket))["sessionResumptionUpdate"]["newHandle"]

    async with session(closed, other) as socket:
        await say(socket, {"setup": {**SETUP["setup"], "sessionResumption": {"handle": handle}}})
        refused = await closing(socket)
    async with session(closed, mine) as socket:
        await begun(socket, sessionResumption={"handle": handle})
        await hear(socket)
        await say(socket, content({"text": "Two"}))
        text = await turn(socket)

    assert refused[0] == 1008
    assert "earlier turns: 2" in text


@pytest.mark.parametrize(("code", "reason"), [(1011, "Internal error"), (1008, "policy"), (1000, "done"), (4321, "")])
async def test_geminis_close_is_the_clients(closed: Closed, emulator: Emulator, code: int, reason: str) -> None:
    emulator.fault("live", "close", code=code, reason=reason or "-", after_chunks=1)

    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, content({"text": "Hello"}))
        assert await closing(socket) == (code, reason or "-")


async def test_a_clients_close_ends_the_session_at_gemini(closed: Closed, emulator: Emulator) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await socket.close(code=4000, reason="bye")

    await eventually(lambda: emulator.state["in_flight"] == 0)


@pytest.mark.parametrize(
    "frame", ["no json", '{"setup": {}, "setup": {}}', '{"setup": {"tools": [{"mcpServers": []}]}}', "[1,]"]
)
async def test_what_cannot_be_scanned_is_not_passed_on(closed: Closed, emulator: Emulator, frame: str) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await socket.send(frame)
        code, _ = await closing(socket)

    assert code == 1008
    assert emulator.requests("live")[0]["body_bytes"] == 0


async def test_what_is_said_meanwhile_interrupts(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("live", "drip", delay_s=30)
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, content({"text": "word " * 100}))
        first = await hear(socket)
        await say(socket, content({"text": "Stop"}))
        second = await hear(socket)

    assert "modelTurn" in first["serverContent"]
    assert second == {"serverContent": {"interrupted": True}}


async def test_what_its_turns_used_is_in_the_ledger(closed: Closed) -> None:
    key = await closed.key("web")
    async with session(closed, key) as socket:
        await begun(socket)
        for _ in range(2):
            await say(socket, content({"text": "Hello"}))
            await turn(socket)

    row: dict[str, Any] = {}
    async with asyncio.timeout(10):
        while not row:
            rows = (await closed.call("GET", "/api/v1/usage?by=operation", key)).json()["data"]
            row = next((each for each in rows if each["operation"] == "native.live"), {})
    assert row["calls"] == 1
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
