"""Live through the gateway: frames as they came, the key swapped, other clients' files unreachable, codes kept."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.clients.identity import Limits, Scope
from app.gemini.credentials import ApiKey
from app.gemini.refusals import KEY_REFUSED
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.live import HELLO, MODEL, PATH, SETUP, begun, closing, content, hear, say, session, turn
from tests.integration.native.test_isolation import uploaded
from tests.waiting import eventually, eventually_is


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
async def test_a_handshake_without_a_key_is_refused(closed: Closed, emulator: Emulator, key: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with session(closed, key):
            pass

    assert refused.value.response.status_code == 401
    assert emulator.requests("live") == []


async def test_live_needs_the_native_scope_and_an_open_resource(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, native_resources="models") as closed:
        keys = [await closed.key("a", scopes={Scope.GENERATE}), await closed.key("b")]
        for key in keys:
            with pytest.raises(InvalidStatus) as refused:
                async with session(closed, key):
                    pass
            assert refused.value.response.status_code == 403


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
async def test_an_unscannable_body_is_not_passed_on(closed: Closed, emulator: Emulator, frame: str) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await socket.send(frame)
        code, _ = await closing(socket)

    assert code == 1008
    assert emulator.requests("live") == []


async def test_live_input_during_an_answer_interrupts_it(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("live", "drip", delay_s=30)
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, content({"text": "word " * 100}))
        first = await hear(socket)
        await say(socket, content({"text": "Stop"}))
        second = await hear(socket)

    assert "modelTurn" in first["serverContent"]
    assert second == {"serverContent": {"interrupted": True}}


async def test_the_usage_of_live_turns_is_in_the_ledger(closed: Closed) -> None:
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


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("projects/123456789 of owner@example.com", (1008, "... of ...")),
        ("API key not valid. Please pass a valid API key.", (1011, KEY_REFUSED)),
        ("é" * 61, (1008, "é" * 61)),
    ],
)
async def test_geminis_reason_is_masked_and_a_refusal_of_the_gateways_key_is_1011(
    closed: Closed, emulator: Emulator, reason: str, told: tuple[int, str]
) -> None:
    emulator.fault("live", "close", code=1008, reason=reason, after_chunks=1)

    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, content({"text": "Hello"}))
        assert await closing(socket) == told


async def test_a_handshake_that_gemini_refuses_is_1011_without_its_words(emulator: Emulator, tmp_path: Path) -> None:
    async with (
        closed_gateway(emulator, tmp_path, key=ApiKey("invalid")) as closed,
        session(closed, await closed.key("web")) as socket,
    ):
        await say(socket, SETUP)
        code, reason = await closing(socket)

    assert (code, reason) == (1011, KEY_REFUSED)
