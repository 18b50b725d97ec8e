"""Programs like those of Gemini's guides see the same straight and through the gateway: answers, errors, chunks."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from gemini_emulator import EmulatorConfig
from tests.contract.sdk import MEDIA, MODEL, WAYS, Way, parts, sdk_client, way_to
from tests.contract.seen import same

PNG = (MEDIA / "shapes.png").read_bytes()
Program = Callable[[genai.Client], Any]
PROGRAMS: dict[str, Program] = {}


def program(work: Program) -> Program:
    """Have a program run by both ways."""
    PROGRAMS[work.__name__] = work
    return work


def told(answer: BaseModel) -> Any:
    """Return a whole answer, as read by the SDK."""
    return answer.model_dump(mode="json", exclude_none=True)


def told_of_files(answer: types.GenerateContentResponse) -> Any:
    """Return an answer that repeats its files' names, without the output counts, which depend on the names' length."""
    usage = told(answer.usage_metadata) if answer.usage_metadata else {}
    output = {"candidates_token_count", "candidates_tokens_details", "total_token_count"}
    return told(answer) | {"usage_metadata": {key: count for key, count in usage.items() if key not in output}}


def ready(client: genai.Client, name: str, **config: Any) -> types.File:
    """Upload a file of the tests' and wait until it can be used."""
    file = client.files.upload(file=MEDIA / name, config=types.UploadFileConfig(**config))
    while file.state is types.FileState.PROCESSING:
        time.sleep(0.02)
        file = client.files.get(name=str(file.name))
    return file


def failure(work: Callable[[], object]) -> dict[str, Any] | str:
    """Return the error of a call, or "no error"."""
    try:
        work()
    except errors.APIError as error:
        return {"class": type(error).__name__, "code": error.code, "status": error.status, "details": error.details}
    return "no error"


@program
def text(client: genai.Client) -> Any:
    return told(client.models.generate_content(model=MODEL, contents="How does AI work?"))


@program
def stream(client: genai.Client) -> Any:
    return [told(chunk) for chunk in client.models.generate_content_stream(model=MODEL, contents="Tell me. " * 40)]


@program
def chat(client: genai.Client) -> Any:
    chat = client.chats.create(model=MODEL)
    first = told(chat.send_message("I have two dogs."))
    return [first, *(told(chunk) for chunk in chat.send_message_stream("How many paws?"))]


@program
def system_instruction_and_sampling(client: genai.Client) -> Any:
    config = types.GenerateContentConfig(system_instruction="You are a cat.", temperature=0.1, max_output_tokens=5)
    return told(client.models.generate_content(model=MODEL, contents="Hello there", config=config))


@program
def structured_output(client: genai.Client) -> Any:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    return told(client.models.generate_content(model=MODEL, contents="A recipe", config=config))


@program
def function_calling(client: genai.Client) -> Any:
    weather = types.FunctionDeclaration(
        name="weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}}
    )
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[weather])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
        ),
    )
    return told(client.models.generate_content(model=MODEL, contents="What is the weather in Bern?", config=config))


@program
def count_tokens(client: genai.Client) -> Any:
    file = ready(client, "report.pdf")
    return [told(client.models.count_tokens(model=MODEL, contents=parts("The quick brown fox", file)))]


@program
def embeddings(client: genai.Client) -> Any:
    return told(client.models.embed_content(model="gemini-embedding-2", contents="one"))


@pytest.mark.parametrize("name", ["shapes.jpg", "speech.mp3", "report.pdf", "scenes.mp4"])
def test_an_uploaded_file_is_seen_the_same(both: "Both", name: str) -> None:
    def ask(client: genai.Client) -> Any:
        file = ready(client, name, display_name="One of the tests'")
        answer = client.models.generate_content(model=MODEL, contents=parts(file, "Describe it."))
        chunks = list(client.models.generate_content_stream(model=MODEL, contents=parts("Again", file)))
        whole = "".join(chunk.text or "" for chunk in chunks)
        return [told(file), told_of_files(answer), whole, told_of_files(chunks[-1])["usage_metadata"]]

    both.compare(ask)


@program
def several_pictures(client: genai.Client) -> Any:
    uploaded = ready(client, "shapes.jpg")
    inline = types.Part.from_bytes(data=PNG, mime_type="image/png")
    return told_of_files(client.models.generate_content(model=MODEL, contents=parts("What differs?", uploaded, inline)))


@program
def a_part_of_a_video(client: genai.Client) -> Any:
    file = ready(client, "scenes.mp4")
    part = types.Part(
        file_data=types.FileData(file_uri=file.uri, mime_type=file.mime_type),
        video_metadata=types.VideoMetadata(start_offset="1s", end_offset="3s", fps=2),
    )
    return told_of_files(client.models.generate_content(model=MODEL, contents=parts(part, "Summarise.")))


@program
def files(client: genai.Client) -> Any:
    names = [str(client.files.upload(file=io.BytesIO(b"abc"), config={"mime_type": "text/plain"}).name) for _ in "12"]
    got = told(client.files.get(name=names[0]))
    listed = [told(file) for file in client.files.list(config={"page_size": 1})][:2]
    for name in names:
        client.files.delete(name=name)
    return [got, listed, failure(lambda: client.files.get(name=names[0])), failure(lambda: delete(client, names[0]))]


def delete(client: genai.Client, name: str) -> object:
    return client.files.delete(name=name)


@program
def caches(client: genai.Client) -> Any:
    cache = client.caches.create(model=MODEL, config={"contents": "A long story. " * 40, "ttl": "300s"})
    answer = client.models.generate_content(model=MODEL, contents="Why?", config={"cached_content": cache.name})
    client.caches.delete(name=str(cache.name))
    return [told(cache), told(answer), failure(lambda: client.caches.get(name=str(cache.name)))]


@program
def batches(client: genai.Client) -> Any:
    job = client.batches.create(model=MODEL, src=[types.InlinedRequest(contents="One")])
    while not job.done:
        time.sleep(0.02)
        job = client.batches.get(name=str(job.name))
    return told(job)


@program
def a_batch_of_a_file(client: genai.Client) -> Any:
    lines = [{"key": key, "request": {"contents": [{"parts": [{"text": key}]}]}} for key in "ab"]
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.upload(file=io.BytesIO(data), config={"mime_type": "application/jsonl"})
    job = client.batches.create(model=MODEL, src=str(file.name))
    while not job.done:
        time.sleep(0.02)
        job = client.batches.get(name=str(job.name))
    assert job.dest
    results = client.files.download(file=str(job.dest.file_name)).decode()
    return [json.loads(line) for line in results.splitlines()]


@program
def models(client: genai.Client) -> Any:
    return [told(client.models.get(model=MODEL)), [told(model) for model in client.models.list()]]


@program
def refusals(client: genai.Client) -> Any:
    ask = client.models.generate_content
    foreign = types.Part.from_uri(
        file_uri="https://generativelanguage.googleapis.com/v1beta/files/nobodys", mime_type="image/png"
    )
    return [
        failure(lambda: ask(model="no-such-model", contents="Hello")),
        failure(lambda: ask(model=MODEL, contents=parts("Hello", foreign))),
        failure(lambda: ask(model=MODEL, contents=[types.Content(role="nobody", parts=[types.Part(text="Hello")])])),
        failure(lambda: ask(model=MODEL, contents="Hello", config={"temperature": 9.0})),
        failure(lambda: ask(model=MODEL, contents="Hello", config={"cached_content": "cachedContents/nobodys"})),
        failure(lambda: list(client.models.generate_content_stream(model="no-such-model", contents="Hello"))),
        failure(lambda: client.files.get(name="nobodys")),
        failure(lambda: client.batches.get(name="batches/nobodys")),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 503},
        {"kind": "status", "code": 429, "retryDelayS": 7.5},
        {"kind": "finish", "reason": "SAFETY"},
        {"kind": "block", "reason": "PROHIBITED_CONTENT"},
    ],
    ids=lambda fault: str(fault.get("code") or fault.get("reason")),
)
@pytest.mark.parametrize("operation", ["generateContent", "streamGenerateContent"])
def test_geminis_refusals_look_the_same_through_the_gateway(
    both: "Both", operation: str, fault: dict[str, Any]
) -> None:
    def ask(client: genai.Client) -> Any:
        seen: list[Any] = []

        def work() -> None:
            if operation == "generateContent":
                seen.append(told(client.models.generate_content(model=MODEL, contents="Hello")))
            else:
                seen.extend(map(told, client.models.generate_content_stream(model=MODEL, contents="Hello")))

        return [failure(work), seen]

    for way in both.ways:
        way.emulator.fault(operation, **fault)
    both.compare(ask)


class Both:
    """The two ways."""

    def __init__(self, ways: list[Way]) -> None:
        self.ways = ways

    def compare(self, work: Program) -> None:
        """Run a program by both ways; it must have seen something, and the same."""
        seen = []
        for way in self.ways:
            with sdk_client(way.base_url, key=way.key) as client:
                seen.append(same(work(client)))
        assert seen[0]
        assert seen[0] == seen[1]


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    config = EmulatorConfig(processing_delay_s=0.1, batch_delay_s=0.1)
    with way_to(WAYS[0], config) as straight, way_to(WAYS[1], config) as through:
        yield Both([straight, through])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_sees_the_same(both: Both, name: str) -> None:
    both.compare(PROGRAMS[name])
