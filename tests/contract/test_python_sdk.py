"""Every documented call, by the official Python SDK, straight to the emulator and through the gateway alike."""

import hashlib
import io
import time
from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from gemini_emulator import EmulatorConfig
from tests.contract.sdk import MEDIA, MODEL, WAYS, Way, client_of, parts, sdk_client, way_to

PNG = (MEDIA / "shapes.png").read_bytes()
LARGE = bytes(range(256)) * 81_920
"""20 MiB: two whole chunks of the SDK and a half one."""


class Reading(BaseModel):
    """The content of a structured answer."""

    count: int
    words: list[str]


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with way_to(request.param, EmulatorConfig(processing_delay_s=0.2)) as way:
        yield way


@pytest.fixture
def client(way: Way) -> Iterator[genai.Client]:
    with sdk_client(way.base_url, key=way.key) as client:
        yield client


def name_of(file: types.File) -> str:
    assert file.name is not None
    return file.name


def text_of(answer: types.GenerateContentResponse) -> str:
    assert answer.text is not None
    return answer.text


def test_a_file_is_uploaded_from_a_path(client: genai.Client) -> None:
    file = client.files.upload(file=MEDIA / "report.pdf", config={"display_name": "A report"})

    assert (file.state, file.mime_type, file.size_bytes) == (types.FileState.ACTIVE, "application/pdf", 2639)
    assert file.display_name == "A report"
    assert file.uri == f"https://generativelanguage.googleapis.com/v1beta/{file.name}"


def test_a_file_of_several_chunks_is_uploaded_from_memory(client: genai.Client) -> None:
    file = client.files.upload(file=io.BytesIO(LARGE), config={"mime_type": "text/plain", "name": "large"})

    answer = client.models.generate_content(model=MODEL, contents=parts("What?", file))

    assert (file.name, file.size_bytes) == ("files/large", len(LARGE))
    # What it is called at Gemini is the gateway's business.
    assert f"text/plain {len(LARGE)} bytes sha256={hashlib.sha256(LARGE).hexdigest()} files/" in text_of(answer)


def test_a_video_is_waited_for(client: genai.Client) -> None:
    file = client.files.upload(file=MEDIA / "scenes.mp4")
    while file.state is types.FileState.PROCESSING:
        time.sleep(0.05)
        file = client.files.get(name=name_of(file))

    assert file.state is types.FileState.ACTIVE
    assert file.video_metadata == {"videoDuration": "6s"}


def test_files_are_got_listed_and_deleted(client: genai.Client) -> None:
    names = [name_of(client.files.upload(file=io.BytesIO(b"abc"), config={"mime_type": "text/plain"})) for _ in "123"]

    got = client.files.get(name=names[0])
    listed = [file.name for file in client.files.list(config={"page_size": 2})]
    client.files.delete(name=names[0])
    left = [file.name for file in client.files.list()]

    assert got.name == names[0]
    assert listed[:3] == names[::-1]
    assert names[0] not in left


def test_media_come_inline_and_as_files_in_the_order_of_the_prompt(client: genai.Client) -> None:
    file = client.files.upload(file=MEDIA / "report.pdf")

    answer = client.models.generate_content(
        model=MODEL,
        contents=parts("Look:", types.Part.from_bytes(data=PNG, mime_type="image/png"), file),
        config=types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.5, stop_sequences=["zebra"]),
    )

    *_, picture, report = text_of(answer).splitlines()
    assert picture.startswith("part 2: image/png 2379 bytes")
    assert "red rectangle [50,60,210,180]" in picture
    assert report.startswith("part 3: application/pdf 2639 bytes")
    assert answer.model_version == MODEL
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP


def test_a_pydantic_schema_is_answered_by_its_model(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Reading)

    answer = client.models.generate_content(model=MODEL, contents="Read this.", config=config)

    assert isinstance(answer.parsed, Reading)


def test_a_json_schema_is_answered_by_its_value(client: genai.Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5}}, "required": ["n"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)

    answer = client.models.generate_content(model=MODEL, contents="How many?", config=config)

    assert isinstance(answer.parsed, dict)
    assert answer.parsed["n"] >= 5


def test_a_stream_is_read_to_its_end(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hello " * 50))

    assert len(chunks) > 3
    assert "Hello " * 49 in "".join(chunk.text or "" for chunk in chunks)
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP


def test_thoughts_are_told_apart_in_a_stream(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW)
    )

    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hello", config=config))

    thoughts = [bool(part.thought) for chunk in chunks for part in chunk.parts or []]
    assert thoughts == [True] + [False] * (len(thoughts) - 1)


# The SDK derives its session from aiohttp's and gives it whole chunks, both of which aiohttp discourages.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_the_asynchronous_client_streams_and_uploads_too(client: genai.Client) -> None:
    file = await client.aio.files.upload(file=io.BytesIO(LARGE), config={"mime_type": "text/plain"})
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents=parts("Hello", file))
    text = "".join([chunk.text or "" async for chunk in stream])
    await client.aio.aclose()

    assert f"part 2: text/plain {len(LARGE)} bytes" in text


def test_a_chat_goes_on(client: genai.Client) -> None:
    chat = client.chats.create(model=MODEL)

    chat.send_message("One")
    answer = chat.send_message("Two")

    assert "earlier turns: 2\nprompt: Two" in text_of(answer)


def test_tokens_are_counted(client: genai.Client) -> None:
    assert client.models.count_tokens(model=MODEL, contents="12345678").total_tokens == 2


def test_texts_are_embedded(client: genai.Client) -> None:
    answer = client.models.embed_content(
        model="gemini-embedding-2", contents="Hello", config={"output_dimensionality": 8}
    )

    assert answer.embeddings is not None
    assert [len(embedding.values or []) for embedding in answer.embeddings] == [8]


def test_models_are_listed_page_by_page_and_got(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 4})]
    model = client.models.get(model=MODEL)

    assert len(names) == len(set(names)) > 8
    assert f"models/{MODEL}" in names
    assert model.input_token_limit == 1_048_576
    assert "generateContent" in (model.supported_actions or [])


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_the_other_versions_serve_the_same(way: Way, version: str) -> None:
    with sdk_client(way.base_url, version, way.key) as client:
        file = client.files.upload(file=io.BytesIO(b"abc"), config={"mime_type": "text/plain"})
        answer = client.models.generate_content(model=MODEL, contents=parts("What?", file))

        assert f"{file.name}: 3 characters" in text_of(answer)


def test_an_unknown_model_is_a_client_error(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="gemini-0.1-none", contents="Hello")

    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert raised.value.message is not None
    assert "gemini-0.1-none is not found for API version v1beta" in raised.value.message


def test_an_unknown_model_is_the_same_error_in_a_stream(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as raised:
        list(client.models.generate_content_stream(model="gemini-0.1-none", contents="Hello"))

    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


def test_a_file_that_is_not_there_is_a_client_error(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as raised:
        client.files.get(name="files/nope")

    assert (raised.value.code, raised.value.status) == (403, "PERMISSION_DENIED")


def test_a_wrong_key_is_a_client_error(way: Way) -> None:
    with sdk_client(way.base_url, key="invalid") as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="Hello")

    # The gateway's own keys are not Gemini's, and it says so.
    assert (raised.value.code, raised.value.status) in {(400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED")}


def test_an_overloaded_model_is_a_server_error(way: Way, client: genai.Client) -> None:
    way.emulator.fault("generateContent", "status", code=503)

    with pytest.raises(errors.ServerError) as raised:
        client.models.generate_content(model=MODEL, contents="Hello")

    assert (raised.value.code, raised.value.status) == (503, "UNAVAILABLE")


def test_an_error_in_mid_stream_is_raised_there(way: Way, client: genai.Client) -> None:
    way.emulator.fault("streamGenerateContent", "stream_error", after_chunks=1, code=503)
    stream = client.models.generate_content_stream(model=MODEL, contents="Hello")

    first = next(stream)
    with pytest.raises(errors.ServerError) as raised:
        next(stream)

    assert first.text
    assert raised.value.code == 503


@pytest.mark.parametrize("name", WAYS)
def test_too_many_calls_are_a_client_error_with_its_details(name: str) -> None:
    with client_of(name, EmulatorConfig(requests_per_minute=1)) as client:
        client.models.generate_content(model=MODEL, contents="Hello")

        with pytest.raises(errors.ClientError) as raised:
            client.models.generate_content(model=MODEL, contents="Hello")

        assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("name", WAYS)
def test_a_full_project_refuses_an_upload(name: str) -> None:
    with client_of(name, EmulatorConfig(project_quota_bytes=2)) as client:
        with pytest.raises(errors.ClientError) as raised:
            client.files.upload(file=io.BytesIO(b"abc"), config={"mime_type": "text/plain"})

        assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_a_blocked_prompt_has_its_reason_and_no_text(way: Way, client: genai.Client) -> None:
    way.emulator.fault("generateContent", "block", reason="SAFETY")

    answer = client.models.generate_content(model=MODEL, contents="Hello")

    assert answer.text is None
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason is types.BlockedReason.SAFETY
