"""OpenAI's own client on Google's OpenAI-compatible path, straight to the emulator and through the gateway alike."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.contract.sdk import MEDIA, MODEL, WAYS, Way, way_to

PICTURE = base64.b64encode((MEDIA / "shapes.png").read_bytes()).decode()


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with way_to(request.param) as way:
        yield way


@pytest.fixture(params=["v1beta", "v1"])
def client(way: Way, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{way.base_url}/{request.param}/openai", api_key=way.key, max_retries=0, timeout=30
    ) as client:
        yield client


def test_a_chat_is_answered_with_its_usage(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "Two"},
        ],
        max_completion_tokens=500,
    )

    text = answer.choices[0].message.content
    assert text is not None
    assert "system instruction: Be brief.\nearlier turns: 2\nprompt: Two" in text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_pictures_and_sound_are_seen(client: openai.OpenAI) -> None:
    speech = base64.b64encode((MEDIA / "speech.mp3").read_bytes()).decode()

    answer = client.chat.completions.create(
        model=f"models/{MODEL}",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
                    {"type": "input_audio", "input_audio": {"data": speech, "format": "mp3"}},
                ],
            }
        ],
    )

    text = answer.choices[0].message.content or ""
    assert "part 2: image/png 2379 bytes" in text
    assert "red rectangle [50,60,210,180]" in text
    assert "part 3: audio/mp3 45189 bytes" in text


def test_a_stream_comes_in_chunks_and_ends_with_its_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "word " * 40}],
        stream=True,
        stream_options={"include_usage": True},
    )

    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    assert len(chunks) > 3
    assert "prompt: word word" in text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_functions_are_called_and_answered(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    asked = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Weather?"}],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
        tool_choice="required",
    )

    assert asked.choices[0].finish_reason == "tool_calls"
    assert asked.choices[0].message.tool_calls is not None
    [call] = asked.choices[0].message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)


def test_a_schema_is_answered_by_its_value(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "A number"}],
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )

    assert isinstance(json.loads(answer.choices[0].message.content or "")["n"], int)


def test_texts_are_embedded(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="gemini-embedding-2", input=["files/one", "two"], encoding_format="float")

    assert [len(each.embedding) for each in answer.data] == [3072, 3072]


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert f"models/{MODEL}" in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == f"models/{MODEL}"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gemini-0.1-none", messages=[{"role": "user", "content": "x"}])


def test_an_overloaded_model_is_a_server_error(way: Way, client: openai.OpenAI) -> None:
    way.emulator.fault("openai.chat", "status", code=503)

    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])


def test_another_clients_file_is_not_there() -> None:
    with way_to("through") as way, openai.OpenAI(base_url=f"{way.base_url}/v1beta/openai", api_key=way.key) as client:
        messages: Any = [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "files/another-clients"}}]}
        ]

        with pytest.raises(openai.PermissionDeniedError, match="may not exist"):
            client.chat.completions.create(model=MODEL, messages=messages)
        assert way.emulator.requests("openai.chat") == []
