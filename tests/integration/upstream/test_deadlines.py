"""A Gemini that is late ends no call too late, on any surface, and the error has the surface's own shape."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from app.clients.keys import Keys
from app.store.clients import ClientStore
from app.store.database import open_database
from tests.answering import Answering, Answers, answering
from tests.gateway import Gateway, media, running_gateway
from tests.stores import database_url
from tests.waiting import eventually_is

MODEL = "gemini-3.8-flash"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
# What a call may take, and what no call of these tests may ever take.
LIMIT_S = 0.5
FAR_BEYOND_S = 30.0
WHOLE: dict[str, tuple[str, str, Any]] = {
    "generateContent": ("POST", f"/v1beta/models/{MODEL}:generateContent", PROMPT),
    "countTokens": ("POST", f"/v1beta/models/{MODEL}:countTokens", PROMPT),
    "embedContent": ("POST", f"/v1beta/models/{MODEL}:embedContent", {"content": {"parts": [{"text": "x"}]}}),
    "batchGenerateContent": ("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {}}),
    "models": ("GET", "/v1beta/models", None),
    "cachedContents": ("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}", **PROMPT}),
    "interactions": ("POST", "/v1beta/interactions", {"model": MODEL, "input": "Hello"}),
    "openai chat": ("POST", "/v1beta/openai/chat/completions", CHAT),
    "openai embeddings": ("POST", "/v1beta/openai/embeddings", {"model": MODEL, "input": "Hello"}),
    "openai models": ("GET", "/v1beta/openai/models", None),
}
STREAMS: dict[str, tuple[str, str, Any]] = {
    "streamGenerateContent": ("POST", f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", PROMPT),
    "openai chat": ("POST", "/v1beta/openai/chat/completions", {**CHAT, "stream": True}),
    "interactions": ("POST", "/v1beta/interactions", {"model": MODEL, "input": "Hello", "stream": True}),
}
ARRAY = ("POST", f"/v1beta/models/{MODEL}:streamGenerateContent", PROMPT)
CHUNK = json.dumps({"id": "v1_abc", "candidates": [{"content": {"parts": [{"text": "Hello"}]}}]}).encode()


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def trickles(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.05)


def begins(kind: str = "text/event-stream", first: bytes = b"data: " + CHUNK + b"\r\n\r\n") -> Answers:
    """Answer the beginning of a stream, then nothing more."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": kind})
        await stream.prepare(request)
        await stream.write(first)
        await asyncio.Event().wait()
        return stream

    return answer


@asynccontextmanager
async def late(answer: Answers, folder: Path, **settings: Any) -> AsyncIterator[tuple[Gateway, Answering]]:
    chosen = {"request_timeout_s": LIMIT_S, "models_cache_s": 0, **settings}
    async with answering(answer) as upstream, running_gateway(upstream.url, folder, **chosen) as gateway:
        yield gateway, upstream


async def ask(gateway: Gateway, call: tuple[str, str, Any], **headers: str) -> httpx.Response:
    method, path, body = call
    async with asyncio.timeout(FAR_BEYOND_S):
        return await gateway.client.request(method, path, json=body, headers=headers)


def is_late(path: str, body: Any, limit: str) -> bool:
    """Return whether an error is a surface's own for lateness, and names the limit that was met."""
    error = body["error"]
    if limit not in error["message"]:
        return False
    if "openai" in path:
        return bool(error["code"] == "upstream_timeout")
    if "interactions" in path:
        return bool(error["code"] == "deadline_exceeded")
    return bool((error["code"], error["status"]) == (504, "DEADLINE_EXCEEDED"))


@pytest.mark.parametrize("name", list(WHOLE))
@pytest.mark.parametrize("answer", [hangs, trickles])
async def test_a_whole_answer_that_is_late_is_a_504(tmp_path: Path, name: str, answer: Answers) -> None:
    async with late(answer, tmp_path) as (gateway, _):
        try:
            said = await ask(gateway, WHOLE[name], **{"accept-encoding": "identity"})
        except httpx.RemoteProtocolError:
            # An answer that has begun can only be cut.
            assert answer is trickles
            return

    assert said.status_code == 504
    assert is_late(WHOLE[name][1], said.json(), "REQUEST_TIMEOUT_S")


@pytest.mark.parametrize("name", [*STREAMS, "array"])
async def test_a_streams_first_byte_that_is_late_is_a_504(tmp_path: Path, name: str) -> None:
    call = {**STREAMS, "array": ARRAY}[name]
    async with late(hangs, tmp_path) as (gateway, _):
        said = await ask(gateway, call)

    assert said.status_code == 504
    assert is_late(call[1], said.json(), "REQUEST_TIMEOUT_S")


@pytest.mark.parametrize("name", list(STREAMS))
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"request_timeout_s": LIMIT_S}, "paused"),
        ({"request_timeout_s": FAR_BEYOND_S, "stream_timeout_s": LIMIT_S}, "STREAM_TIMEOUT_S"),
    ],
)
async def test_a_begun_stream_that_stalls_ends_with_an_error_event(
    tmp_path: Path, name: str, settings: dict[str, float], why: str
) -> None:
    async with late(begins(), tmp_path, **settings) as (gateway, _):
        said = await ask(gateway, STREAMS[name])

    first, *_, last, end = said.text.replace("\r\n", "\n").split("\n\n")
    assert (said.status_code, first, end) == (200, f"data: {CHUNK.decode()}", "")
    *names, data = last.strip("\n").split("\n")
    assert is_late(STREAMS[name][1], json.loads(data.removeprefix("data: ")), why)
    assert names == (["event: error"] if name == "interactions" else [])


@pytest.mark.parametrize("rest", [b"", b'data: {"cand'])
async def test_an_unfinished_event_does_not_spoil_the_error_behind_it(tmp_path: Path, rest: bytes) -> None:
    stream = b"data: " + CHUNK + b"\r\n" + rest

    async with late(begins(first=stream), tmp_path) as (gateway, _):
        said = await ask(gateway, STREAMS["streamGenerateContent"])

    frames = [frame for frame in said.text.replace("\r\n", "\n").split("\n\n") if frame]
    assert [list(json.loads(frame.removeprefix("data: "))) for frame in frames] == [["id", "candidates"], ["error"]]


async def test_a_begun_array_that_stalls_is_cut(tmp_path: Path) -> None:
    async with late(begins("application/json", b"[" + CHUNK), tmp_path) as (gateway, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(gateway, ARRAY)


async def test_a_slow_stream_is_no_late_one(tmp_path: Path) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for _ in range(4):
            await stream.write(b"data: " + CHUNK + b"\r\n\r\n")
            await asyncio.sleep(LIMIT_S / 2)
        return stream

    async with late(slow, tmp_path, request_timeout_s=2 * LIMIT_S) as (gateway, _):
        native = await ask(gateway, STREAMS["streamGenerateContent"])
        rest = await gateway.events(("prompt", "Hello"))

    assert native.text.count("data: ") == 4
    assert [event["type"] for event in rest if event["type"] == "delta"] == ["delta"] * 4


@pytest.mark.parametrize("name", list(WHOLE))
async def test_the_time_that_a_client_gives_is_obeyed_and_passed_on(tmp_path: Path, name: str) -> None:
    async with late(hangs, tmp_path, request_timeout_s=FAR_BEYOND_S * 2) as (gateway, upstream):
        # The SDKs round up to whole seconds; other clients may not.
        said = await ask(gateway, WHOLE[name], **{"x-server-timeout": "0.4"})
        passed_on = {request.headers.get("X-Server-Timeout") for request in upstream.requests}

    assert said.status_code == 504
    assert is_late(WHOLE[name][1], said.json(), "0.4 s (X-Server-Timeout)")
    assert "1" in passed_on


@pytest.mark.parametrize(
    ("sent", "whole", "stream"), [(None, "9", None), ("7", "7", "7"), ("7.5", "8", "8"), ("100", "9", "100")]
)
async def test_gemini_is_told_the_time_that_is_left(
    tmp_path: Path, sent: str | None, whole: str, stream: str | None
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    headers = {} if sent is None else {"x-server-timeout": sent}
    async with late(answer, tmp_path, request_timeout_s=9) as (gateway, upstream):
        await ask(gateway, WHOLE["generateContent"], **headers)
        await ask(gateway, STREAMS["streamGenerateContent"], **headers)
        told = {
            request.path.rpartition(":")[2]: request.headers.get("X-Server-Timeout")
            for request in upstream.requests
            if request.method == "POST"
        }

    assert told == {"generateContent": whole, "streamGenerateContent": stream}


async def test_gemini_is_told_the_time_of_the_rest_surface(tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"candidates": [{"finishReason": "STOP"}]})

    async with late(answer, tmp_path, request_timeout_s=9) as (gateway, upstream):
        await gateway.generate(("prompt", "Hello"), ("timeout_s", "5"))
        told = [request.headers["X-Server-Timeout"] for request in upstream.requests if request.method == "POST"]

    assert told == ["5"]


@pytest.mark.parametrize("sent", ["", "0", "-1", "soon", "1e9", "inf", "1" * 20, "0x10", "5s"])
async def test_a_time_that_is_no_number_of_seconds_is_refused(tmp_path: Path, sent: str) -> None:
    async with late(hangs, tmp_path) as (gateway, upstream):
        said = await ask(gateway, WHOLE["generateContent"], **{"x-server-timeout": sent})
        asked = [request for request in upstream.requests if request.method == "POST"]

    assert (said.status_code, asked) == (400, [])
    assert "X-Server-Timeout" in said.json()["error"]["message"]


async def test_a_rest_call_that_is_late_is_a_504(tmp_path: Path) -> None:
    async with late(hangs, tmp_path, request_timeout_s=FAR_BEYOND_S) as (gateway, _):
        whole = await gateway.generate(("prompt", "Hello"), ("timeout_s", "0.5"))
        task = await gateway.post_form("/api/v1/images/captions", ("timeout_s", "0.5"), ("file", media("shapes.png")))
        events = await gateway.events(("prompt", "Hello"), ("timeout_s", "0.5"))

    assert (whole.status_code, whole.json()["code"]) == (504, "upstream-timeout")
    assert (task.status_code, task.json()["code"]) == (504, "upstream-timeout")
    assert events[-1]["problem"]["code"] == "upstream-timeout"


async def test_a_begun_rest_stream_that_stalls_ends_with_an_error_event(tmp_path: Path) -> None:
    async with late(begins(), tmp_path) as (gateway, _):
        events = await gateway.events(("prompt", "Hello"))

    assert [event["type"] for event in events] == ["start", "status", "delta", "error"]
    assert "paused" in events[-1]["problem"]["detail"]
    assert events[-1]["text_so_far_chars"] == 5


async def test_a_late_call_gives_its_connection_back(tmp_path: Path) -> None:
    async with late(hangs, tmp_path, upstream_connections=4, connection_wait_s=FAR_BEYOND_S) as (gateway, upstream):
        for _ in range(2):
            said = await asyncio.gather(*(ask(gateway, WHOLE["generateContent"]) for _ in range(3)))
            assert [answer.status_code for answer in said] == [504] * 3

        async def answer(_: web.Request) -> web.Response:
            return web.json_response({})

        upstream.answer = answer
        assert (await ask(gateway, WHOLE["generateContent"])).status_code == 200


async def test_the_end_of_a_stream_by_its_deadline_is_in_the_ledger(tmp_path: Path) -> None:
    async with late(begins(), tmp_path, client_auth="keys", ledger_flush_s=0.05) as (gateway, _):
        async with open_database(database_url(tmp_path)) as database:
            key = (await Keys(ClientStore(database)).create("web", now=time.time())).text
        headers = {"x-goog-api-key": key}
        await ask(gateway, STREAMS["streamGenerateContent"], **headers)

        async def is_told() -> bool:
            rows[:] = (await gateway.client.get("/api/v1/usage?by=operation", headers=headers)).json()["data"]
            return bool(rows)

        rows: list[dict[str, Any]] = []
        await eventually_is(is_told)

    assert [(row["operation"], row["calls"]) for row in rows] == [("native.streamGenerateContent", 1)]
