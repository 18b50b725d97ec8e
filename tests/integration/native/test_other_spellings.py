"""Paths and queries of other clients: Google's generated clients, REST samples, and tools that speak OpenAI's API."""

import json
from typing import Any
from urllib.parse import quote

import openai
import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.test_relay import CALL, MODEL, prompt, raw, usage_of

NUMBERED = quote("json;enum-encoding=int")
STREAM = CALL.replace("generate", "streamGenerate")


@pytest.mark.parametrize("name", ["alt", "$alt", "%24alt"])
@pytest.mark.parametrize("path", [CALL, STREAM])
async def test_enums_as_numbers_are_relayed_and_booked(closed: Closed, path: str, name: str) -> None:
    key = await closed.key("web")

    answer, wire = await raw(closed.gateway.url, f"{path}?{name}={NUMBERED}", key, prompt(), "identity")

    assert answer.status_code == 200, wire
    parsed: Any = json.loads(wire)
    last = parsed[-1] if isinstance(parsed, list) else parsed
    assert last["candidates"][0]["finishReason"] == 1
    row = await usage_of(closed, key, f"native.{path.partition(':')[2]}")
    usage = last["usageMetadata"]
    assert (row["input_tokens"], row["output_tokens"]) == (usage["promptTokenCount"], usage["candidatesTokenCount"])
    assert row["input_by_modality"]["text"] == usage["promptTokenCount"]


@pytest.mark.parametrize(
    "path",
    ["/v1beta/models", f"/v1beta/models/{MODEL}", "/v1beta/files", "/v1beta/cachedContents", "/v1beta/batches"],
)
async def test_every_read_takes_the_query_of_googles_generated_clients(closed: Closed, path: str) -> None:
    key = await closed.key("web")

    answer = await closed.call("GET", f"{path}?%24alt={NUMBERED}", key)

    assert answer.status_code == 200, answer.text


async def test_two_framings_of_one_answer_are_refused(closed: Closed) -> None:
    key = await closed.key("web")

    answer, _ = await raw(closed.gateway.url, f"{STREAM}?alt=sse&$alt=json", key, prompt())

    assert answer.status_code == 400


@pytest.mark.parametrize("value", ["json;enum-encoding=string", "proto", "json;json"])
async def test_another_framing_is_refused(closed: Closed, value: str) -> None:
    key = await closed.key("web")

    answer, _ = await raw(closed.gateway.url, f"{CALL}?$alt={quote(value)}", key, prompt())

    assert answer.status_code == 400


async def uploaded(closed: Closed, key: str, data: bytes) -> str:
    headers = {"x-goog-upload-protocol": "raw", "content-type": "application/jsonl"}
    answer = await closed.call("POST", "/upload/v1beta/files", key, content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["file"]["name"])


async def test_results_of_a_batch_are_at_googles_documented_download_path(closed: Closed) -> None:
    key, other = await closed.key("web"), await closed.key("other")
    file = await uploaded(closed, key, json.dumps({"key": "a", "request": prompt()}).encode())
    body = {"batch": {"displayName": "b", "inputConfig": {"fileName": file}}}
    path = f"/v1beta/models/{MODEL}:batchGenerateContent"
    batch = (await closed.call("POST", path, key, json=body)).json()["name"]
    results = (await closed.call("GET", f"/v1beta/{batch}", key)).json()["response"]["responsesFile"]

    answer = await closed.call("GET", f"/download/v1beta/{results}:download?alt=media", key)
    foreign = await closed.call("GET", f"/download/v1beta/{results}:download?alt=media", other)
    without_key = await closed.call("GET", f"/download/v1beta/{results}:download?alt=media", None)

    assert (answer.status_code, json.loads(answer.content)["key"]) == (200, "a")
    assert (foreign.status_code, foreign.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert "error" in without_key.json()


@pytest.mark.parametrize("base", ["/v1beta/openai", "/openai/v1"])
async def test_openais_client_lists_retrieves_asks_and_embeds(closed: Closed, emulator: Emulator, base: str) -> None:
    key = await closed.key("web")

    async with openai.AsyncOpenAI(api_key=key, base_url=f"{closed.gateway.url}{base}", max_retries=0) as client:
        listed = [model.id async for model in client.models.list()]
        model = await client.models.retrieve(listed[0])
        chat = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
        embedded = await client.embeddings.create(model="gemini-embedding-2", input="Hi", dimensions=768)

    assert model.id == listed[0]
    assert "prompt: Hi" in str(chat.choices[0].message.content)
    assert len(embedded.data[0].embedding) == 768
    assert any(embedded.data[0].embedding)


async def test_an_error_below_openai_v1_has_openais_shape(closed: Closed) -> None:
    answer = await closed.call("GET", "/openai/v1/nothing", await closed.key("web"))

    assert (answer.status_code, set(answer.json())) == (404, {"error"})
    assert "message" in answer.json()["error"]
