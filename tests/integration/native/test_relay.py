"""Relayed answers arrive as Gemini sent them: byte for byte, compressed or not, piece by piece, errors included."""

import asyncio
import gzip
import json
import re
from typing import Any

import httpx
import pytest

from app.clients.identity import Limits
from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.gateway import KEY
from tests.waiting import eventually

MODEL = "gemini-3.8-flash"
CALL = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"


def prompt(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


async def raw(base_url: str, path: str, key: str, body: Any, encoding: str = "gzip") -> tuple[httpx.Response, bytes]:
    """Post, and give the answer with its body as it came over the wire."""
    headers = {"x-goog-api-key": key, "accept-encoding": encoding}
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30) as client:
        request = client.build_request("POST", path, json=body, headers=headers)
        answer = await client.send(request, stream=True)
        wire = b"".join([piece async for piece in answer.aiter_raw()])
        await answer.aclose()
    return answer, wire


async def test_quota_user_is_dropped_and_field_masks_are_refused(closed: Closed) -> None:
    key = await closed.key("web")

    dropped = await closed.call("POST", f"{CALL}?quotaUser=ada", key, json=prompt())
    refused = await closed.call("POST", f"{CALL}?fields=candidates", key, json=prompt())

    assert dropped.status_code == 200, dropped.text
    assert refused.status_code == 400
    assert "The query parameter fields is not supported" in refused.json()["error"]["message"]


def without_ids(wire: bytes, encoding: str | None) -> bytes:
    """Leave out the values that the emulator creates for each answer."""
    text = gzip.decompress(wire) if encoding == "gzip" else wire
    return re.sub(rb'("(?:responseId|turnToken)": ?)"[^"]*"', rb"\1", text)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("path", [CALL, STREAM, STREAM.removesuffix("?alt=sse"), CALL.replace("generate", "count", 1)])
async def test_an_answer_holds_the_fields_of_geminis_response(
    closed: Closed, emulator: Emulator, path: str, encoding: str
) -> None:
    path = path.replace("countContent", "countTokens")
    key = await closed.key("web")

    # Streams are asked for without an encoding, since an error in a compressed one could not be masked.
    asked = "identity" if "stream" in path else encoding
    straight, sent = await raw(emulator.url, path, "any", prompt("word " * 200), asked)
    through, came = await raw(closed.gateway.url, path, key, prompt("word " * 200), encoding)

    said = straight.headers.get("content-encoding")
    assert through.headers.get("content-encoding") == said
    assert through.headers["content-type"] == straight.headers["content-type"]
    assert without_ids(came, said) == without_ids(sent, said)


async def test_unknown_fields_pass(closed: Closed) -> None:
    answer, wire = await raw(closed.gateway.url, CALL, await closed.key("web"), prompt(), "identity")

    assert answer.status_code == 200
    assert "turnToken" in json.loads(wire)


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [{"parts": [{"text": "x"}]}], "nobody": 1},
        {"contents": "text"},
        prompt(generationConfig={"temperature": "hot"}),
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]},
    ],
)
async def test_an_error_is_geminis_own(closed: Closed, emulator: Emulator, body: Any) -> None:
    straight, sent = await raw(emulator.url, CALL, "any", body)
    through, came = await raw(closed.gateway.url, CALL, await closed.key("web"), body)

    assert through.status_code == straight.status_code == 400
    assert came == sent


async def test_geminis_refusal_of_the_gateways_key_is_hidden(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("generateContent", "status", code=403)

    answer, wire = await raw(closed.gateway.url, CALL, await closed.key("web"), prompt())

    assert answer.status_code == 502
    assert json.loads(wire)["error"]["status"] == "INTERNAL"
    assert KEY.encode() not in wire


async def test_the_clients_key_does_not_go_up(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")

    await raw(closed.gateway.url, f"{CALL}?key={key}", key, prompt())

    [arrived] = emulator.requests("generateContent")
    assert key not in json.dumps(arrived)
    assert arrived["key_seen"] is True


async def test_a_stream_comes_piece_by_piece(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "drip", delay_s=30)
    headers = {"x-goog-api-key": await closed.key("web"), "accept-encoding": "identity"}

    async with closed.gateway.client.stream("POST", STREAM, json=prompt("word " * 50), headers=headers) as answer:
        first = await anext(answer.aiter_raw())

    assert first.startswith(b"data: {")


async def test_a_stream_that_breaks_is_cut(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "cut", after_chunks=2)

    with pytest.raises(httpx.RemoteProtocolError):
        await raw(closed.gateway.url, STREAM, await closed.key("web"), prompt("word " * 50))


async def test_a_client_that_leaves_ends_the_call_to_gemini(closed: Closed, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "drip", delay_s=30)
    headers = {"x-goog-api-key": await closed.key("web")}

    async with closed.gateway.client.stream("POST", STREAM, json=prompt("word " * 50), headers=headers) as answer:
        await anext(answer.aiter_raw())
    await closed.gateway.client.aclose()

    await eventually(lambda: emulator.requests("streamGenerateContent")[0]["aborted"])


async def test_a_long_body_goes_up_while_it_comes(closed: Closed, emulator: Emulator) -> None:
    data = "QUJD" * 500_000
    body = prompt()
    body["contents"][0]["parts"].append({"inlineData": {"mimeType": "text/plain", "data": data}})

    answer, wire = await raw(closed.gateway.url, CALL, await closed.key("web"), body, "identity")

    assert answer.status_code == 200
    assert "text/plain 1500000 bytes" in json.loads(wire)["candidates"][0]["content"]["parts"][0]["text"]


async def test_of_a_long_body_that_is_wrong_the_last_byte_never_goes_up(closed: Closed, emulator: Emulator) -> None:
    body = prompt()
    body["contents"][0]["parts"] += [
        {"inlineData": {"mimeType": "text/plain", "data": "QUJD" * 500_000}},
        {"fileData": {"fileUri": "files/another-clients"}},
    ]

    answer, wire = await raw(closed.gateway.url, CALL, await closed.key("web"), body, "identity")

    assert answer.status_code == 403
    assert "File another-clients or it may not exist" in json.loads(wire)["error"]["message"]
    assert all(request["aborted"] for request in emulator.requests("generateContent"))


async def test_a_body_without_a_length_is_held(closed: Closed) -> None:
    async def pieces() -> Any:
        yield b'{"contents": [{"parts": [{"text": "He'
        yield b'llo"}]}]}'

    headers = {"x-goog-api-key": await closed.key("web"), "content-type": "application/json"}
    answer = await closed.gateway.client.post(CALL, content=pieces(), headers=headers)

    assert "prompt: Hello" in answer.json()["candidates"][0]["content"]["parts"][0]["text"]


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/plain; charset=utf-7", "text/html"],
)
@pytest.mark.parametrize("path", [CALL, "/v1beta/cachedContents", "/v1beta/interactions", "/v1beta/openai/embeddings"])
async def test_a_body_of_another_content_type_or_charset_is_a_415(closed: Closed, path: str, content_type: str) -> None:
    headers = {"x-goog-api-key": await closed.key("web"), "content-type": content_type}
    answer = await closed.gateway.client.post(path, content=b"{}", headers=headers)

    # OpenAI's API has no 415: its clients expect a 400.
    assert answer.status_code == (400 if "openai" in path else 415)
    assert "application/json" in answer.text


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "text/plain;charset=UTF-8", ""])
async def test_json_is_accepted_as_text_plain_or_without_a_type_from_a_client_with_a_credential(
    closed: Closed, content_type: str
) -> None:
    headers = {"x-goog-api-key": await closed.key("web"), "content-type": content_type}
    answer = await closed.gateway.client.post(CALL, content=json.dumps(prompt()), headers=headers)

    assert answer.status_code == 200


async def test_a_name_that_google_has_shut_down_is_its_replacements(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    path = "/v1beta/models/gemini-2.0-flash"

    answer, wire = await raw(closed.gateway.url, f"{path}:generateContent", key, prompt(), "identity")
    counted, _ = await raw(
        closed.gateway.url,
        f"{path}:countTokens",
        key,
        {"generateContentRequest": {"model": "models/gemini-2.0-flash", **prompt()}},
    )

    assert json.loads(wire)["modelVersion"] == "gemini-3.5-flash-lite"
    assert (answer.status_code, counted.status_code) == (200, 200)


async def test_only_the_models_of_a_client_are_asked(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web", models={"gemini-3.5-flash-lite"})
    other = {"model": f"models/{MODEL}", "content": {"parts": [{"text": "x"}]}}
    bodies = {
        CALL: prompt(),
        "/v1beta/models/gemini-3.5-flash-lite:batchEmbedContents": {"requests": [other]},
        "/v1beta/interactions": {"model": MODEL, "input": "Hello"},
        "/v1beta/openai/chat/completions": {"model": MODEL, "messages": []},
        "/v1beta/cachedContents": {"model": f"models/{MODEL}", **prompt()},
    }

    answers = [(await raw(closed.gateway.url, path, key, body))[0].status_code for path, body in bodies.items()]

    assert answers == [403] * 5


async def usage_of(closed: Closed, key: str, operation: str) -> Any:
    async with asyncio.timeout(10):
        while True:
            rows = (await closed.call("GET", "/api/v1/usage?by=operation", key)).json()["data"]
            for row in rows:
                if row["operation"] == operation:
                    return row
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", [CALL, STREAM, STREAM.removesuffix("?alt=sse")])
async def test_the_usage_of_a_relayed_call_is_in_the_ledger(closed: Closed, path: str) -> None:
    key = await closed.key("web")
    _, wire = await raw(closed.gateway.url, path, key, prompt("word " * 100), "gzip")
    text = gzip.decompress(wire) if wire[:2] == b"\x1f\x8b" else wire
    last = text.rpartition(b"data: ")[2].strip() if b"data: " in text else text
    parsed = json.loads(last)
    told = (parsed[-1] if isinstance(parsed, list) else parsed)["usageMetadata"]

    row = await usage_of(closed, key, f"native.{path.partition(':')[2].partition('?')[0]}")

    assert (row["calls"], row["input_tokens"]) == (1, told["promptTokenCount"])
    assert row["output_tokens"] == told["candidatesTokenCount"]


async def test_a_relayed_call_is_held_to_its_clients_limits(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web", limits=Limits(requests_per_minute=2))

    answers = [(await raw(closed.gateway.url, CALL, key, prompt()))[0] for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "retry-after" in answers[2].headers
    assert all("ratelimit" in answer.headers for answer in answers)
    assert len(emulator.requests("generateContent")) == 2


async def test_a_picture_does_not_count_as_so_much_text(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=100_000))
    body = prompt(generationConfig={"maxOutputTokens": 100})
    body["contents"][0]["parts"].append({"inlineData": {"mimeType": "image/png", "data": "A" * 1_000_000}})

    answer, _ = await raw(closed.gateway.url, CALL, key, body)

    assert answer.status_code == 200


async def test_a_days_tokens_are_kept(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=1_000))

    small, _ = await raw(closed.gateway.url, CALL, key, prompt(generationConfig={"maxOutputTokens": 50}))
    large, _ = await raw(closed.gateway.url, CALL, key, prompt(generationConfig={"maxOutputTokens": 5_000}))

    assert (small.status_code, large.status_code) == (200, 429)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1beta/cachedContents", {"model": f"models/{MODEL}", **prompt()}),
        (f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {}}),
        ("/v1beta/interactions", {"model": MODEL, "input": "Hello", "background": True}),
    ],
)
async def test_deferred_costs_are_closed_to_budgeted_clients(closed: Closed, path: str, body: Any) -> None:
    answer, wire = await raw(
        closed.gateway.url, path, await closed.key("web", limits=Limits(tokens_per_day=10**9)), body, "identity"
    )

    assert answer.status_code == 403
    assert "ALLOW_DEFERRED_COSTS" in json.loads(wire)["error"]["message"]


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
async def test_an_openai_stream_of_a_limited_client_asks_for_usage_that_the_client_does_not_see(
    closed: Closed, emulator: Emulator, options: dict[str, Any]
) -> None:
    chat = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hello"}], "stream": True, **options}
    limited = await closed.key("limited", limits=Limits(tokens_per_day=100_000))
    free = await closed.key("free")

    shown, plain = [
        await closed.call("POST", "/v1beta/openai/chat/completions", key, json=chat) for key in (limited, free)
    ]

    sent = [request["json"].get("stream_options") for request in emulator.requests("openai.chat")]
    assert sent == [{"include_usage": True}, options.get("stream_options")]
    assert '"usage"' not in shown.text
    assert shown.text.count("data:") == plain.text.count("data:")
    assert shown.text.endswith("data: [DONE]\n\n")
