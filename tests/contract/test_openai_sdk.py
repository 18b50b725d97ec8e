"""OpenAI's own client, unchanged but for its base URL: transcriptions and translations in OpenAI's shapes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pysubs2
import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
    TranslationVerbose,
)

from tests.emulator_process import Emulator
from tests.gateway import MEDIA, Gateway, running_gateway
from tests.waiting import eventually

SPEECH = MEDIA / "speech.mp3"
DURATION = 7.41
MODELS = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe", "gemini-3.8-flash"]

DEPRECATED = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""OpenAI is to shut its translations down; clients of today call them."""


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1beta/openai",
        api_key="a-key",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as client:
        yield client


@pytest.mark.parametrize("model", MODELS)
async def test_json_is_the_text_and_the_tokens(client: openai.AsyncOpenAI, emulator: Emulator, model: str) -> None:
    with SPEECH.open("rb") as sound:
        answer = await client.audio.transcriptions.create(model=model, file=sound)

    assert isinstance(answer, Transcription)
    assert "loud" in answer.text
    assert answer.usage is not None
    assert answer.usage.type == "tokens"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert "models/gemini-3.8-flash:" in emulator.requests("generateContent")[-1]["path"]


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_every_version_has_it(gateway: Gateway, version: str) -> None:
    files = {"file": ("speech.mp3", SPEECH.read_bytes())}

    answer = await gateway.client.post(
        f"/{version}/openai/audio/transcriptions", files=files, data={"model": "whisper-1"}
    )

    assert answer.status_code == 200


async def test_text_is_the_text_alone(client: openai.AsyncOpenAI) -> None:
    whole = await client.audio.transcriptions.create(model="whisper-1", file=SPEECH)

    answer: Any = await client.audio.transcriptions.create(model="whisper-1", file=SPEECH, response_format="text")

    assert answer == f"{whole.text}\n"


@DEPRECATED
@pytest.mark.parametrize("response_format", ["srt", "vtt"])
@pytest.mark.parametrize("operation", ["transcriptions", "translations"])
async def test_subtitles_can_be_parsed(client: openai.AsyncOpenAI, operation: str, response_format: Any) -> None:
    audio = getattr(client.audio, operation)

    answer: Any = await audio.create(model="whisper-1", file=SPEECH, response_format=response_format)

    cues = pysubs2.SSAFile.from_string(answer, format_=response_format)
    assert cues[0].start == pytest.approx(500, abs=200)
    assert cues[-1].end <= 1000 * DURATION


async def test_verbose_json_has_segments_within_the_duration(client: openai.AsyncOpenAI) -> None:
    answer = await client.audio.transcriptions.create(model="whisper-1", file=SPEECH, response_format="verbose_json")

    assert isinstance(answer, TranscriptionVerbose)
    assert answer.duration == pytest.approx(DURATION, abs=0.15)
    assert answer.segments is not None
    assert [segment.id for segment in answer.segments] == [0, 1]
    assert answer.segments[0].start == pytest.approx(0.5, abs=0.2)
    assert answer.segments[1].end <= answer.duration
    assert answer.segments[0].compression_ratio > 0
    assert answer.words is None
    TranscriptionVerbose.model_validate(answer.model_dump())


@pytest.mark.parametrize("granularities", [["word"], ["word", "segment"]])
async def test_words_have_their_times_when_wanted(client: openai.AsyncOpenAI, granularities: Any) -> None:
    answer = await client.audio.transcriptions.create(
        model="whisper-1", file=SPEECH, response_format="verbose_json", timestamp_granularities=granularities
    )

    assert answer.words
    assert " ".join(word.word for word in answer.words) == answer.text
    assert all(0 <= word.start <= word.end <= answer.duration for word in answer.words)
    assert (answer.segments is not None) is ("segment" in granularities)


async def test_granularities_need_the_verbose_format(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.audio.transcriptions.create(model="whisper-1", file=SPEECH, timestamp_granularities=["word"])

    assert refused.value.param == "timestamp_granularities"


async def test_diarized_json_names_the_speakers(client: openai.AsyncOpenAI) -> None:
    answer = await client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize", file=SPEECH, response_format="diarized_json", chunking_strategy="auto"
    )

    assert isinstance(answer, TranscriptionDiarized)
    assert [segment.speaker for segment in answer.segments] == ["A", "A"]
    TranscriptionDiarized.model_validate(answer.model_dump())


async def test_a_chunking_strategy_in_detail_is_read_and_left_alone(client: openai.AsyncOpenAI) -> None:
    answer = await client.audio.transcriptions.create(
        model="gpt-4o-transcribe",
        file=SPEECH,
        chunking_strategy={"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300},
    )

    assert answer.text


async def test_a_missing_file_is_a_400_that_names_the_field(gateway: Gateway) -> None:
    files = {"model": (None, "whisper-1")}

    answer = await gateway.client.post("/v1/openai/audio/transcriptions", files=files)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"
    assert "file_id" not in answer.text


async def test_language_prompt_and_names_reach_the_model(client: openai.AsyncOpenAI, emulator: Emulator) -> None:
    await client.audio.transcriptions.create(
        model="whisper-1",
        file=SPEECH,
        language="cy",
        prompt="Llanfair",
        extra_body={"keywords": ["Gwyn"], "known_speaker_names": ["Nia"]},
        temperature=0.2,
    )

    body = emulator.requests("generateContent")[-1]["json"]
    instruction = body["contents"][0]["parts"][-1]["text"]
    assert all(word in instruction for word in ("cy", "Llanfair", "Gwyn", "Nia"))
    assert body["generationConfig"]["temperature"] == 0.2


@DEPRECATED
async def test_translations_are_in_english(client: openai.AsyncOpenAI, emulator: Emulator) -> None:
    plain = await client.audio.translations.create(model="whisper-1", file=SPEECH)
    verbose: Any = await client.audio.translations.create(
        model="whisper-1", file=SPEECH, response_format="verbose_json"
    )

    assert plain.text == verbose.text
    assert verbose.language == "english"
    TranslationVerbose.model_validate(verbose.model_dump())
    assert "English" in emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][-1]["text"]


async def test_a_stream_gives_the_text_piece_by_piece_and_then_whole(client: openai.AsyncOpenAI) -> None:
    whole = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SPEECH)

    stream = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SPEECH, stream=True)
    events = [event async for event in stream]

    *deltas, done = events
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert done.text == whole.text
    assert done.usage is not None
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == whole.text


async def test_a_diarized_stream_gives_segments(client: openai.AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize", file=SPEECH, response_format="diarized_json", stream=True
    )
    events = [event async for event in stream]

    assert [event.id for event in events if event.type == "transcript.text.segment"] == ["seg_0", "seg_1"]


async def test_an_error_in_the_middle_of_a_stream_is_raised(client: openai.AsyncOpenAI, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "block", reason="SAFETY")

    with pytest.raises(openai.APIError):
        async for _ in await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SPEECH, stream=True):
            pass


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"include": ["logprobs"]}, "include"),
        ({"extra_body": {"mood": "good"}}, "mood"),
        ({"temperature": 7}, "temperature"),
    ],
)
async def test_a_disallowed_value_is_a_400_that_names_the_field(
    client: openai.AsyncOpenAI, fields: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.audio.transcriptions.create(model="whisper-1", file=SPEECH, **fields)

    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


async def test_a_file_that_is_no_sound_is_a_bad_request(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.audio.transcriptions.create(model="whisper-1", file=MEDIA / "shapes.png")

    assert refused.value.code == "unsupported_file_type"


async def test_an_unknown_model_is_a_bad_request(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.audio.transcriptions.create(model="gemini-0-none", file=SPEECH)

    assert refused.value.code == "unknown_model"


async def test_too_many_calls_are_a_rate_limit(client: openai.AsyncOpenAI, emulator: Emulator) -> None:
    emulator.fault("generateContent", "status", code=429, retryDelayS=7, count=9)

    with pytest.raises(openai.RateLimitError):
        await client.audio.transcriptions.create(model="whisper-1", file=SPEECH)


async def test_the_document_says_nothing_of_them(gateway: Gateway) -> None:
    document = json.dumps((await gateway.client.get("/openapi.json")).json())

    assert "openai" not in document


async def test_a_large_file_is_streamed_through_and_deleted(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000) as gateway:
        answer = await gateway.client.post(
            "/v1/openai/audio/transcriptions",
            files={"file": ("speech.wav", (MEDIA / "speech.wav").read_bytes())},
            timeout=httpx.Timeout(60),
        )

        assert answer.status_code == 200
        await eventually(lambda: emulator.files == [])
