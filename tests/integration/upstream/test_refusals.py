"""Gemini's errors on the relayed surfaces: masked, bounded, and never about the gateway's own key."""

import base64
import gzip
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.answering import Answers, answering
from tests.gateway import KEY, Gateway, running_gateway

MODEL = "gemini-3.8-flash"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
PROJECT = "739512345678"
ADDRESS = "gateway@acme-prod.iam.gserviceaccount.com"
PRIVATE = f"Key {KEY} of project {PROJECT} ({ADDRESS}): quota of consumer 'project_number:{PROJECT}' is exceeded."
CALLS: dict[str, tuple[str, str, Any]] = {
    "generateContent": ("POST", f"/v1beta/models/{MODEL}:generateContent", PROMPT),
    "streamGenerateContent": ("POST", f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", PROMPT),
    "stream as an array": ("POST", f"/v1beta/models/{MODEL}:streamGenerateContent", PROMPT),
    "countTokens": ("POST", f"/v1beta/models/{MODEL}:countTokens", PROMPT),
    "batchEmbedContents": ("POST", f"/v1beta/models/{MODEL}:batchEmbedContents", {"requests": []}),
    "batchGenerateContent": ("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {}}),
    "models": ("GET", "/v1beta/models", None),
    "cachedContents": ("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}", **PROMPT}),
    "interactions": ("POST", "/v1beta/interactions", {"model": MODEL, "input": "Hello"}),
    "openai chat": ("POST", "/v1beta/openai/chat/completions", {"model": MODEL, "messages": []}),
    "openai models": ("GET", "/v1beta/openai/models", None),
    "upload": ("POST", "/upload/v1beta/files?uploadType=media", {"a": "file"}),
    "REST generate": ("POST", "/api/v1/chat", {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}),
    "REST models": ("GET", "/api/v1/models", None),
}
STATUSES = [400, 404, 409, 413, 418, 429, 499, 500, 502, 503, 504]


def refusal(status: int, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": "X", **more}}


def answers(body: bytes, status: int, **headers: str) -> Answers:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Type": "application/json", **headers})

    return answer


@asynccontextmanager
async def gateway_before(answer: Answers, folder: Path, **settings: Any) -> AsyncIterator[Gateway]:
    """Run a gateway in front of an upstream that answers every request so."""
    async with answering(answer) as upstream, running_gateway(upstream.url, folder, **settings) as gateway:
        yield gateway


async def call(gateway: Gateway, name: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Make a call, and return its answer and the body as it came over the wire."""
    method, path, body = CALLS[name]
    request = gateway.client.build_request(method, path, json=body, headers=headers)
    answer = await gateway.client.send(request, stream=True)
    wire = b"".join([piece async for piece in answer.aiter_raw()])
    await answer.aclose()
    return answer, wire


def shown(answer: httpx.Response, text: bytes) -> list[str]:
    told = text.decode() + str(answer.headers)
    return [secret for secret in (KEY, PROJECT, "acme-prod", "elsewhere.example") if secret in told]


@pytest.mark.parametrize("status", STATUSES)
async def test_no_error_shows_the_key_the_project_or_an_address(tmp_path: Path, status: int) -> None:
    details = [{"@type": "ErrorInfo", "reason": "RATE_LIMIT", "metadata": {"consumer": f"projects/{PROJECT}"}}]
    body = json.dumps(refusal(status, PRIVATE, details=details)).encode()
    private = {"X-Goog-Api-Key": KEY, "Location": "https://elsewhere.example", "WWW-Authenticate": PRIVATE, "X-A": KEY}
    leaks = {}

    async with gateway_before(answers(body, status, **private), tmp_path, models_cache_s=0) as gateway:
        for name in CALLS:
            answer, text = await call(gateway, name, **{"accept-encoding": "identity"})
            assert answer.status_code >= 400
            leaks[name] = shown(answer, text)

    assert {name: found for name, found in leaks.items() if found} == {}


RELAYED = [name for name in CALLS if not name.startswith("REST") and name != "upload"]


@pytest.mark.parametrize("name", RELAYED)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_error_that_holds_nothing_to_mask_passes_byte_for_byte(
    tmp_path: Path, name: str, encoding: str
) -> None:
    plain = json.dumps(refusal(429, "Resource has been exhausted (e.g. check quota)."), indent=3).encode()
    body = gzip.compress(plain) if encoding == "gzip" else plain
    headers = {"Retry-After": "7", "Content-Encoding": encoding}

    async with gateway_before(answers(body, 429, **headers), tmp_path) as gateway:
        answer, wire = await call(gateway, name, **{"accept-encoding": encoding})

    assert (answer.status_code, wire) == (429, body)
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-encoding"] == encoding


@pytest.mark.parametrize("name", RELAYED)
async def test_a_compressed_error_is_masked_and_sent_plain(tmp_path: Path, name: str) -> None:
    body = gzip.compress(json.dumps(refusal(500, PRIVATE)).encode())

    async with gateway_before(answers(body, 500, **{"Content-Encoding": "gzip"}), tmp_path) as gateway:
        answer, wire = await call(gateway, name, **{"accept-encoding": "gzip"})

    assert answer.status_code == 500
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(wire))
    assert json.loads(wire)["error"]["code"] == 500
    assert shown(answer, wire) == []


OF_THE_KEY = [
    (400, "API key not valid. Please pass a valid API key.", ["API_KEY_INVALID"]),
    (400, "User location is not supported for the API use.", []),
    (401, "Request had invalid authentication credentials.", []),
    (403, "Method doesn't allow unregistered callers.", []),
    (403, "Your API key was reported as leaked.", []),
    (
        403,
        "Requests to this API generativelanguage.googleapis.com method "
        "google.ai.generativelanguage.v1beta.CacheService.CreateCachedContent are blocked.",
        ["API_KEY_SERVICE_BLOCKED"],
    ),
    (403, "Requests to google.ai.generativelanguage.v1beta.CacheService.CreateCachedContent are blocked.", []),
    (403, "The API key may not use cachedContents/abc.", ["API_KEY_SERVICE_BLOCKED"]),
    (403, f"Permission denied: Consumer 'project_number:{PROJECT}' has been suspended.", ["CONSUMER_SUSPENDED"]),
]


@pytest.mark.parametrize(("status", "message", "reasons"), OF_THE_KEY)
async def test_a_refusal_of_the_gateways_own_key_is_a_502_everywhere(
    tmp_path: Path, status: int, message: str, reasons: list[str]
) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason} for reason in reasons]
    told = refusal(status, message, details=details)
    told["error"]["status"] = "FAILED_PRECONDITION" if "location" in message else "PERMISSION_DENIED"
    found = {}

    async with gateway_before(answers(json.dumps(told).encode(), status), tmp_path, models_cache_s=0) as gateway:
        for name in CALLS:
            answer, body = await call(gateway, name, **{"accept-encoding": "identity"})
            found[name] = answer.status_code, b"credentials" in body, shown(answer, body)

    assert found == dict.fromkeys(CALLS, (502, True, []))


@pytest.mark.parametrize(
    "message",
    [
        "CachedContent not found (or permission denied)",
        "You do not have permission to access the File abc123 or it may not exist.",
        "You do not have permission to access interactions/abc123.",
    ],
)
async def test_a_403_about_an_object_is_the_clients_to_read(tmp_path: Path, message: str) -> None:
    body = json.dumps(refusal(403, message)).encode()

    async with answering(answers(body, 403)) as upstream, running_gateway(upstream.url, tmp_path) as gateway:
        answer, wire = await call(gateway, "generateContent")

    assert (answer.status_code, wire) == (403, body)


@pytest.mark.parametrize("name", list(CALLS))
async def test_an_error_of_30_mb_is_a_502(tmp_path: Path, name: str) -> None:
    body = json.dumps(refusal(500, "x" * 30_000_000)).encode()

    async with gateway_before(answers(body, 500), tmp_path, models_cache_s=0) as gateway:
        answer, wire = await call(gateway, name, **{"accept-encoding": "identity"})

    assert answer.status_code == 502
    assert len(wire) < 2_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("status", [403, 500])
async def test_an_error_that_cannot_be_read_is_a_502(tmp_path: Path, encoding: str, status: int) -> None:
    async with gateway_before(
        answers(b"no such encoding", status, **{"Content-Encoding": encoding}), tmp_path
    ) as gateway:
        answer, wire = await call(gateway, "generateContent", **{"accept-encoding": "gzip"})

    assert answer.status_code == 502
    assert json.loads(wire)["error"]["code"] == 502


async def test_a_compressed_bomb_as_an_error_is_a_502(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(400_000_000))

    async with gateway_before(answers(bomb, 500, **{"Content-Encoding": "gzip"}), tmp_path) as gateway:
        answer, wire = await call(gateway, "generateContent", **{"accept-encoding": "gzip"})

    assert answer.status_code == 502
    assert b"larger" in wire


STREAMS = {
    "streamGenerateContent": b"data: %b\r\n\r\ndata: %b\r\n\r\n",
    "stream as an array": b"[%b\r\n,\r\n%b]\r\n",
    "interactions": b"event: x\ndata: %b\n\nevent: error\ndata: %b\n\n",
    "openai chat": b"data: %b\n\ndata: [%b]\n\n",
}


@pytest.mark.parametrize("name", list(STREAMS))
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_error_in_a_stream_is_masked(tmp_path: Path, name: str, size: int) -> None:
    chunk = json.dumps({"id": "v1_abc", "candidates": [{"content": {"parts": [{"text": f"Mail {ADDRESS}"}]}}]}).encode()
    stream = STREAMS[name] % (chunk, json.dumps(refusal(503, PRIVATE)).encode())
    kind = "application/json" if name == "stream as an array" else "text/event-stream"

    async def answer(request: web.Request) -> web.StreamResponse:
        pieces = web.StreamResponse(headers={"Content-Type": kind})
        await pieces.prepare(request)
        for start in range(0, len(stream), size):
            await pieces.write(stream[start : start + size])
        return pieces

    async with answering(answer) as upstream, running_gateway(upstream.url, tmp_path) as gateway:
        came, wire = await call(gateway, name)

    assert came.status_code == 200
    before, _, error = wire.partition(chunk)
    assert before == stream.partition(chunk)[0]
    assert shown(came, error) == []
    assert b'"code": 503' in error


async def test_an_error_in_a_stream_of_the_rest_surface_is_masked(tmp_path: Path) -> None:
    stream = b"data: " + json.dumps(refusal(503, PRIVATE)).encode() + b"\r\n\r\n"

    async with gateway_before(answers(stream, 200, **{"Content-Type": "text/event-stream"}), tmp_path) as gateway:
        events = await gateway.events(("prompt", "Hello"))

    problem = events[-1]["problem"]
    assert problem["code"] == "upstream-unavailable"
    assert [secret for secret in (KEY, PROJECT, "acme-prod") if secret in json.dumps(problem)] == []


@pytest.mark.parametrize("name", ["streamGenerateContent", "stream as an array"])
async def test_a_stream_with_an_encoding_is_not_asked_for_and_not_passed_on(tmp_path: Path, name: str) -> None:
    asked = []

    async def compressed(request: web.Request) -> web.Response:
        if request.method == "POST":
            asked.append(request.headers["Accept-Encoding"])
        kind = {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(b"data: {}\n\n"), headers=kind)

    async with gateway_before(compressed, tmp_path) as gateway:
        answer, _ = await call(gateway, name, **{"accept-encoding": "gzip"})

    assert answer.status_code == 502
    assert asked == ["identity"]


WHOLE = [name for name in RELAYED if not name.startswith("stream")]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_an_error_inside_a_whole_200_document_is_masked(tmp_path: Path, name: str, encoding: str) -> None:
    plain = json.dumps({"name": "x", "id": "v1_abc", **refusal(503, PRIVATE)}).encode()
    body = gzip.compress(plain) if encoding == "gzip" else plain

    async with gateway_before(answers(body, 200, **{"Content-Encoding": encoding}), tmp_path) as gateway:
        answer, wire = await call(gateway, name, **{"accept-encoding": encoding})

    assert shown(answer, wire) == []
    assert answer.headers["content-length"] == str(len(wire))
    assert answer.status_code == 200


async def test_an_error_inside_a_whole_200_document_of_the_rest_surface_is_masked(tmp_path: Path) -> None:
    async with gateway_before(answers(json.dumps(refusal(503, PRIVATE)).encode(), 200), tmp_path) as gateway:
        answer, wire = await call(gateway, "REST generate")

    assert (answer.status_code, shown(answer, wire)) == (503, [])


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("size", [10, 100_000])
async def test_a_whole_200_document_that_holds_nothing_to_mask_passes_byte_for_byte(
    tmp_path: Path, name: str, encoding: str, size: int
) -> None:
    noise = base64.b64encode(random.Random(size).randbytes(size)).decode()
    told = {"name": "x", "id": "v1_abc", "text": f"{ADDRESS} {noise}", "error": {"message": "No such voice."}}
    plain = json.dumps(told, indent=3).encode()
    body = gzip.compress(plain) if encoding == "gzip" else plain

    async with gateway_before(answers(body, 200, **{"Content-Encoding": encoding}), tmp_path) as gateway:
        answer, wire = await call(gateway, name, **{"accept-encoding": encoding})

    assert (answer.status_code, wire) == (200, body)
    assert answer.headers["content-encoding"] == encoding


@pytest.mark.parametrize("name", ["cachedContents", "batchGenerateContent"])
@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"\xff"])
async def test_a_200_that_cannot_be_read_where_it_must_be_is_a_502(tmp_path: Path, name: str, body: bytes) -> None:
    async with gateway_before(answers(body, 200), tmp_path) as gateway:
        answer, _ = await call(gateway, name, **{"accept-encoding": "identity"})

    assert answer.status_code == 502
