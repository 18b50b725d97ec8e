"""Answers of Gemini's without a finish reason: whole answers keep their text, and broken transfers stay errors."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.answering import Answers, answering
from tests.gateway import running_gateway

TEXT = {"candidates": [{"content": {"parts": [{"text": "Hello"}], "role": "model"}}]}
USAGE = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}}


def whole(body: Any) -> Answers:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def stream(*events: Any, is_broken: bool = False) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for event in events:
            await response.write(b"data: " + json.dumps(event).encode() + b"\r\n\r\n")
        if is_broken and request.transport is not None:
            request.transport.close()
        return response

    return answer


async def chat(answer: Answers, folder: Path, *, is_stream: bool) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "stream": is_stream}
    async with answering(answer) as upstream, running_gateway(upstream.url, folder) as gateway:
        return await gateway.client.post("/api/v1/chat", json=body)


@pytest.mark.parametrize("body", [TEXT | USAGE, TEXT, USAGE, {}])
async def test_a_whole_answer_without_a_finish_reason_is_an_answer(body: dict[str, Any], tmp_path: Path) -> None:
    response = await chat(whole(body), tmp_path, is_stream=False)

    assert response.status_code == 200
    answer = response.json()
    assert (answer["finish_reason"], answer["text"]) == ("unspecified", "Hello" if "candidates" in body else "")
    assert answer["usage"]["total_tokens"] == (7 if "usageMetadata" in body else 0)


async def test_a_stream_that_ended_cleanly_without_a_finish_reason_is_done(tmp_path: Path) -> None:
    response = await chat(stream(TEXT, USAGE), tmp_path, is_stream=True)

    last = json.loads(response.text.strip().splitlines()[-1].removeprefix("data: "))
    assert last["type"] == "done"
    assert (last["response"]["finish_reason"], last["response"]["text"]) == ("unspecified", "Hello")


@pytest.mark.parametrize("is_broken", [True, False], ids=["broken transfer", "no usage"])
async def test_a_stream_that_broke_without_a_finish_reason_is_an_error(is_broken: bool, tmp_path: Path) -> None:
    events = [TEXT, USAGE] if is_broken else [TEXT]

    response = await chat(stream(*events, is_broken=is_broken), tmp_path, is_stream=True)

    last = json.loads(response.text.strip().splitlines()[-1].removeprefix("data: "))
    assert (last["type"], last["problem"]["code"]) == ("error", "upstream-failed")
