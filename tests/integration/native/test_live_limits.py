"""The limits of Live sessions: time, number, budget, and the credential while a session runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.clients.admission import MAX_LIVE_SESSIONS
from app.clients.identity import Limits, Scope
from app.native.live import endpoint
from app.native.live import session as live_session
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.live import HELLO, MODEL, SETUP, begun, closing, content, hear, say, session, turn
from tests.waiting import eventually

SOUND = {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=16000"}}}


async def test_a_session_without_setup_is_closed_and_opens_no_connection_to_gemini(
    closed: Closed, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "SETUP_S", 0.2)

    async with session(closed, await closed.key("web")) as socket:
        code, reason = await closing(socket)

    assert (code, reason) == (1008, "No setup message within 0.2 s; send the setup first.")
    assert emulator.requests("live") == []


@pytest.mark.parametrize("first", [content({"text": "Hello"}), SOUND, {}, {**SETUP, **SOUND}, []])
async def test_a_first_message_that_is_not_a_setup_opens_no_connection_to_gemini(
    closed: Closed, emulator: Emulator, first: Any
) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await say(socket, first)
        code, reason = await closing(socket)

    assert (code, reason) == (1008, "The first message of a Live session must be its setup.")
    assert emulator.requests("live") == []


@pytest.mark.parametrize("beside", [{}, SOUND])
async def test_a_second_setup_ends_the_session(closed: Closed, emulator: Emulator, beside: dict[str, Any]) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, {**beside, **SETUP})
        code, _ = await closing(socket)

    assert code == 1008
    await eventually(lambda: emulator.state["in_flight"] == 0)


async def test_sessions_without_setup_keep_no_connection_from_other_calls(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, upstream_connections=5) as closed:
        key = await closed.key("web")
        async with session(closed, key), session(closed, key), session(closed, key), session(closed, key):
            answer = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=HELLO)

    assert answer.status_code == 200


async def test_an_idle_session_is_closed(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, live_idle_timeout_s=0.5) as closed:
        async with session(closed, await closed.key("web")) as socket:
            await begun(socket)
            code, reason = await closing(socket)
        await eventually(lambda: emulator.state["in_flight"] == 0)

    assert (code, reason) == (1008, "The session was idle for 0.5 s.")


async def test_a_client_has_a_number_of_sessions_and_no_more(closed: Closed) -> None:
    key, other = await closed.key("web"), await closed.key("other")
    sessions = [session(closed, key) for _ in range(MAX_LIVE_SESSIONS)]
    for each in sessions:
        await each.__aenter__()

    with pytest.raises(InvalidStatus) as refused:
        await session(closed, key).__aenter__()
    async with session(closed, other):
        pass
    await sessions.pop().__aexit__(None, None, None)
    async with session(closed, key):
        pass
    for each in sessions:
        await each.__aexit__(None, None, None)

    assert refused.value.response.status_code == 429
    assert b"20 Live sessions" in (refused.value.response.body or b"")


async def test_a_message_may_be_large_by_its_media_alone(closed: Closed) -> None:
    key, word = await closed.key("web"), "x" * (1 << 20)
    async with session(closed, key) as socket:
        await begun(socket)
        await say(socket, {"realtimeInput": {"audio": {"data": word * 4, "mimeType": "audio/pcm;rate=16000"}}})
        await say(socket, content({"text": "Hello"}))
        text = await turn(socket)
        await say(socket, content({"text": word}))
        code, reason = await closing(socket)

    assert "prompt: Hello" in text
    assert (code, reason) == (1009, "A Live message has at most 1048576 bytes besides its media.")


async def _revoke(closed: Closed) -> None:
    await closed.keys.revoke("web", now=time.time())


async def _withdraw_scope(closed: Closed) -> None:
    await closed.keys.update("web", scopes={Scope.GENERATE})


async def _withdraw_model(closed: Closed) -> None:
    await closed.keys.update("web", models={"gemini-3.5-flash"})


ENDINGS = pytest.mark.parametrize(
    ("end", "told"),
    [
        (_revoke, "revoked"),
        (_withdraw_scope, "scope"),
        (_withdraw_model, "may not use the model"),
    ],
)
End = Callable[[Closed], Any]


@ENDINGS
async def test_the_next_turn_of_a_client_that_lost_its_right_ends_the_session(
    closed: Closed, emulator: Emulator, end: End, told: str
) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, content({"text": "One"}))
        await turn(socket)
        await end(closed)
        await say(socket, content({"text": "Two"}))
        code, reason = await closing(socket)

    assert code == 1008
    assert told in reason
    assert "Two" not in str(emulator.requests("live")[0]["json"])


@ENDINGS
async def test_a_session_of_realtime_input_alone_ends_too(
    closed: Closed, end: End, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_session, "JUDGED_S", 0.1)

    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await say(socket, SOUND)
        await end(closed)
        code, reason = await closing(socket)

    assert code == 1008
    assert told in reason


async def test_a_turn_beside_realtime_input_is_judged_as_a_turn(closed: Closed) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await _revoke(closed)
        await say(socket, {**SOUND, **content({"text": "Hello"})})
        code, reason = await closing(socket)

    assert code == 1008
    assert "revoked" in reason


async def test_realtime_input_is_not_judged_message_by_message(closed: Closed, emulator: Emulator) -> None:
    async with session(closed, await closed.key("web")) as socket:
        await begun(socket)
        await _revoke(closed)
        await say(socket, {"realtimeInput": {"text": "Hello"}})
        text = await turn(socket)

    assert "prompt: Hello" in text


async def test_an_expired_token_ends_its_session(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "JUDGED_S", 0.1)
    key = await closed.key("web")
    made = await closed.call("POST", "/api/v1/auth/tokens", key, json={"ttl_s": 2, "user": "u1"})

    async with session(closed, made.json()["token"]) as socket:
        await begun(socket)
        code, reason = await closing(socket)

    assert (code, reason) == (1008, "The token has expired; request a new token from your app's backend.")


async def test_a_token_of_one_request_holds_for_its_whole_session(
    closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_session, "JUDGED_S", 0.05)
    made = {"ttl_s": 600, "user": "u1", "max_requests": 1}
    token = (await closed.call("POST", "/api/v1/auth/tokens", await closed.key("web"), json=made)).json()["token"]

    async with session(closed, token) as socket:
        await begun(socket)
        for _ in range(2):
            await say(socket, content({"text": "Hello"}))
            await turn(socket)


async def test_a_spent_budget_ends_the_session_after_the_turn_that_spent_it(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, reserved_output_tokens=100) as closed:
        key = await closed.key("web", limits=Limits(tokens_per_day=150))
        async with session(closed, key) as socket:
            await begun(socket)
            await say(socket, content({"text": "word " * 60}))
            await turn(socket)
            ended = await closing(socket)
        async with session(closed, key) as socket:
            await say(socket, SETUP)
            refused = await closing(socket)
        other = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=HELLO)

    assert ended == (1008, "budget")
    assert refused == (1008, "budget")
    assert other.status_code == 429
    assert len(emulator.requests("live")) == 1


async def test_a_turn_is_booked_when_it_ends_and_not_when_its_session_does(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, reserved_output_tokens=10) as closed:
        key = await closed.key("web", limits=Limits(tokens_per_day=10_000))
        async with session(closed, key) as socket:
            await begun(socket)
            before = await _tokens_left(closed, key)
            await say(socket, content({"text": "word " * 60}))
            await turn(socket)
            after = await _tokens_left(closed, key)

    # Without the turn itself, the two answers and the next turn's reservation differ by less.
    assert before - after > 100


async def _tokens_left(closed: Closed, key: str) -> int:
    answer = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=HELLO)
    (item,) = [item for item in answer.headers["ratelimit"].split(",") if "tokens-day" in item]
    return int(item.partition("r=")[2].partition(";")[0])


async def test_a_session_that_asks_nothing_costs_nothing(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, reserved_output_tokens=100) as closed:
        key = await closed.key("web", limits=Limits(tokens_per_day=150))
        for _ in range(3):
            async with session(closed, key) as socket:
                await begun(socket)
            await eventually(lambda: emulator.state["in_flight"] == 0)


async def test_a_turn_that_calls_a_function_is_booked_before_its_result_comes(
    emulator: Emulator, tmp_path: Path
) -> None:
    tools = [{"functionDeclarations": [{"name": "weather", "parameters": {"type": "OBJECT"}}]}]
    async with closed_gateway(emulator, tmp_path, reserved_output_tokens=100) as closed:
        key = await closed.key("web", limits=Limits(tokens_per_day=150))
        async with session(closed, key) as socket:
            await begun(socket, tools=tools)
            await say(socket, content({"text": "weather " * 60}))
            called = await hear(socket)
            code, reason = await closing(socket)

    assert "toolCall" in called
    assert (code, reason) == (1008, "budget")
