"""Live sessions by the official Python SDK, straight to the emulator and through the gateway alike."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from tests.contract.sdk import MODEL, WAYS, Way, way_to
from tests.tls import Terminator, tls_before


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with way_to(request.param) as way:
        yield way


@pytest.fixture(scope="module")
def secure(way: Way, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminator]:
    with tls_before(httpx.URL(way.base_url).port or 0, tmp_path_factory.mktemp("tls")) as terminator:
        yield terminator


@pytest.fixture
def client(way: Way, secure: Terminator) -> genai.Client:
    context = ssl.create_default_context(cafile=secure.certificate)
    options = types.HttpOptions(
        base_url=secure.url, api_version="v1beta", async_client_args={"ssl": context}, client_args={"verify": context}
    )
    return genai.Client(api_key=way.key, http_options=options)


async def turn(session: Any) -> list[types.LiveServerMessage]:
    return [message async for message in session.receive()]


def said(messages: list[types.LiveServerMessage]) -> str:
    return "".join(message.text or "" for message in messages)


async def first_calls(session: Any) -> list[types.FunctionCall]:
    async for message in session.receive():
        if message.tool_call:
            return list(message.tool_call.function_calls or [])
    raise AssertionError("no function was called")


async def test_turns_are_answered_and_tell_their_usage(client: genai.Client) -> None:
    config = types.LiveConnectConfig(response_modalities=[types.Modality.TEXT], system_instruction="Be brief.")
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="Hello")]))
        first = await turn(session)
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="And?")]))
        second = await turn(session)

    assert "system instruction: Be brief.\nprompt: Hello" in said(first)
    assert "earlier turns: 2\nprompt: And?" in said(second)
    assert first[-1].usage_metadata is not None
    assert first[-1].usage_metadata.total_token_count


async def test_speech_comes_with_its_words(client: genai.Client) -> None:
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO], output_audio_transcription=types.AudioTranscriptionConfig()
    )
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        await session.send_realtime_input(text="Speak")
        messages = await turn(session)

    words = [
        message.server_content.output_transcription.text or ""
        for message in messages
        if message.server_content and message.server_content.output_transcription
    ]
    assert "prompt: Speak" in "".join(words)
    assert any(message.data for message in messages)


async def test_functions_are_called_and_answered(client: genai.Client) -> None:
    weather: Any = {"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.TEXT], tools=[types.Tool(function_declarations=[weather])]
    )
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="The weather?")]))
        calls = await first_calls(session)
        await session.send_tool_response(
            function_responses=[
                types.FunctionResponse(id=call.id, name=call.name, response={"sky": "blue"}) for call in calls
            ]
        )
        answer = said(await turn(session))

    assert "get_weather" in answer
    assert "blue" in answer


async def test_an_unknown_model_closes_with_a_reason(client: genai.Client) -> None:
    with pytest.raises(errors.APIError, match=r"gemini-0\.1-none is not found"):
        async with client.aio.live.connect(model="gemini-0.1-none") as session:
            await turn(session)
