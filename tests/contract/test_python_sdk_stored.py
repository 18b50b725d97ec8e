"""Caches, batches, interactions and function calling, through the official Python SDK."""

import base64
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from gemini_emulator import EmulatorConfig
from tests.contract.sdk import MEDIA, MODEL, WAYS, Way, client_of, sdk_client, way_to


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with way_to(request.param, EmulatorConfig(batch_delay_s=0.1, background_delay_s=0.1)) as way:
        yield way


@pytest.fixture(params=["v1beta", "v1", "v1alpha"])
def client(way: Way, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    with sdk_client(way.base_url, request.param, way.key) as client:
        yield client


def test_a_cache_is_made_used_prolonged_listed_and_deleted(client: genai.Client) -> None:
    cache = client.caches.create(
        model=MODEL,
        config={
            "contents": "A long story. " * 40,
            "system_instruction": "Be kind.",
            "ttl": "300s",
            "display_name": "s",
        },
    )
    assert cache.name
    assert cache.usage_metadata
    assert cache.usage_metadata.total_token_count == 142

    answer = client.models.generate_content(model=MODEL, contents="Why?", config={"cached_content": cache.name})

    assert answer.text
    assert "system instruction: Be kind.\nearlier turns: 1\nprompt: Why?" in answer.text
    assert answer.usage_metadata
    assert answer.usage_metadata.cached_content_token_count == 142
    assert answer.usage_metadata.prompt_token_count == 143
    later = client.caches.update(name=cache.name, config={"ttl": "7200s"})
    assert later.expire_time
    assert cache.expire_time
    assert later.expire_time > cache.expire_time
    assert client.caches.get(name=cache.name).display_name == "s"
    assert cache.name in [one.name for one in client.caches.list()]
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError, match="404"):
        client.caches.get(name=cache.name)
    with pytest.raises(errors.ClientError, match="403 PERMISSION_DENIED"):
        client.models.generate_content(model=MODEL, contents="Why?", config={"cached_content": cache.name})


def finished(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    assert job.name
    while not job.done:
        time.sleep(0.02)
        job = client.batches.get(name=str(job.name))
    return job


def test_an_inlined_batch_is_answered(client: genai.Client) -> None:
    requests = [{"contents": [{"role": "user", "parts": [{"text": text}]}]} for text in ("One", "Two")]

    job = client.batches.create(model=MODEL, src=requests, config={"display_name": "two"})  # type: ignore[arg-type]

    assert job.state == types.JobState.JOB_STATE_PENDING
    job = finished(client, job)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest
    texts = [one.response.text or "" for one in job.dest.inlined_responses or [] if one.response]
    assert [text.splitlines()[-1] for text in texts] == ["prompt: One", "prompt: Two"]
    assert job.name in [one.name for one in client.batches.list()]
    client.batches.delete(name=str(job.name))


def test_a_batch_of_a_file_gives_a_file(client: genai.Client) -> None:
    lines = [
        {"key": "a", "request": {"contents": [{"parts": [{"text": "One"}]}]}},
        {"key": "b", "request": {"contents": []}},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.upload(file=io.BytesIO(data), config={"mime_type": "application/jsonl"})

    job = finished(client, client.batches.create(model=MODEL, src=str(file.name)))

    assert job.dest
    assert job.dest.file_name
    results = [json.loads(line) for line in client.files.download(file=job.dest.file_name).splitlines()]
    assert [one["key"] for one in results] == ["a", "b"]
    assert results[0]["response"]["candidates"][0]["content"]["parts"][0]["text"].endswith("prompt: One")
    assert results[1]["error"]["code"] == 400


@pytest.mark.filterwarnings("ignore:batches.create_embeddings")
def test_a_batch_of_embeddings_is_answered(client: genai.Client) -> None:
    job = client.batches.create_embeddings(
        model="gemini-embedding-2",
        src=types.EmbeddingsBatchJobSource(inlined_requests=types.EmbedContentBatch(contents=["one", "two"])),
    )

    job = finished(client, job)

    assert job.dest
    found = job.dest.inlined_embed_content_responses or []
    assert [len(one.response.embedding.values or []) for one in found if one.response and one.response.embedding]


@pytest.mark.parametrize("name", WAYS)
def test_a_batch_is_cancelled(name: str) -> None:
    with client_of(name, EmulatorConfig(batch_delay_s=600)) as client:
        job = client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="One")])
        client.batches.cancel(name=str(job.name))

        assert client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_CANCELLED


def weather(city: str) -> dict[str, str]:
    """Tell the weather of a city."""
    return {"sky": "clear", "asked": city}


def test_functions_are_called_automatically(client: genai.Client) -> None:
    chat = client.chats.create(model=MODEL, config={"tools": [weather]})

    answer = chat.send_message("What is the weather in Rome?")

    assert answer.text
    assert "function weather returned: {" in answer.text
    assert '"sky":"clear"' in answer.text


def interactions(client: genai.Client) -> Any:
    """Return the calls untyped: by its types, the SDK's answer may be whole or a stream for every request."""
    return client.interactions


def test_an_interaction_is_continued_got_and_deleted(client: genai.Client) -> None:
    first = interactions(client).create(model=MODEL, input="One")
    second = interactions(client).create(model=MODEL, input="Two", previous_interaction_id=first.id)

    assert first.status == "completed"
    assert first.output_text
    assert first.output_text.endswith("prompt: One")
    assert second.output_text
    assert second.output_text.endswith("earlier turns: 2\nprompt: Two")
    assert second.usage
    assert second.usage.input_tokens_by_modality
    assert second.usage.input_tokens_by_modality[0].modality == "text"
    got = interactions(client).get(str(first.id))
    assert got.output_text == first.output_text
    interactions(client).delete(str(first.id))
    with pytest.raises(Exception, match="was not found"):
        interactions(client).get(str(first.id))


def test_an_interaction_streams_and_is_resumed(client: genai.Client) -> None:
    events: list[Any] = list(interactions(client).create(model=MODEL, input="Hello " * 40, stream=True))

    kinds = [event.event_type for event in events]
    assert kinds[:3] == ["interaction.created", "interaction.status_update", "step.start"]
    assert kinds[-1] == "interaction.completed"
    interaction_id = events[0].interaction.id
    rest: list[Any] = list(interactions(client).get(interaction_id, stream=True, last_event_id=str(events[4].event_id)))
    assert [event.event_id for event in rest] == [event.event_id for event in events[5:]]


def test_an_interaction_runs_in_the_background(client: genai.Client) -> None:
    interaction = interactions(client).create(model=MODEL, input="One", background=True)
    assert interaction.status == "queued"
    while interaction.status in {"queued", "in_progress"}:
        time.sleep(0.02)
        interaction = interactions(client).get(str(interaction.id))

    assert interaction.status == "completed"


def test_an_interaction_sees_media_and_files(client: genai.Client) -> None:
    file = client.files.upload(file=MEDIA / "report.pdf")

    interaction = interactions(client).create(
        model=MODEL,
        input=[
            {"type": "text", "text": "What?"},
            {
                "type": "image",
                "mime_type": "image/png",
                "data": base64.b64encode((MEDIA / "shapes.png").read_bytes()).decode(),
            },
            {"type": "document", "mime_type": "application/pdf", "uri": str(file.uri)},
        ],
    )

    assert interaction.output_text
    assert "red rectangle" in interaction.output_text
    assert "Quarterly report" in interaction.output_text


def test_an_interaction_calls_a_function_and_takes_its_result(client: genai.Client) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool: Any = {"type": "function", "name": "weather", "parameters": parameters}
    first = interactions(client).create(model=MODEL, input="The weather?", tools=[tool])

    assert first.status == "requires_action"
    call: Any = (first.steps or [])[-1]
    assert (call.type, call.name) == ("function_call", "weather")
    result: Any = {"type": "function_result", "call_id": call.id, "result": {"sky": "clear"}}
    second = interactions(client).create(model=MODEL, input=[result], tools=[tool], previous_interaction_id=first.id)

    assert second.status == "completed"
    assert second.output_text
    assert 'function weather returned: {"sky":"clear"}' in second.output_text


def test_an_interaction_answers_in_a_shape_and_within_a_limit(client: genai.Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    shape: Any = {"type": "text", "mime_type": "application/json", "schema": schema}

    shaped = interactions(client).create(model=MODEL, input="A number", response_format=shape)
    short = interactions(client).create(model=MODEL, input="Go on", generation_config={"max_output_tokens": 2})

    assert json.loads(shaped.output_text or "")["n"] >= 3
    assert short.status == "incomplete"
