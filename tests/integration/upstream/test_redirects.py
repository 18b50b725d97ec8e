"""No call follows a redirect of Gemini's, and none carries the key to another origin (RFC 9110, 15.4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.native.handlers import HANDLERS
from app.store.database import open_database
from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway
from tests.redirecting import Chooses, Elsewhere, Redirecting, elsewhere, redirecting
from tests.stores import database_url
from tests.waiting import eventually

MODEL = "gemini-3.8-flash"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
GRANULE = 262_144
FILE = bytes(GRANULE) + b"the end"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
STATUSES = (301, 302, 303, 307, 308)


@pytest.fixture
async def other() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as other:
        yield other


@pytest.fixture
async def upstream(_emulator: Emulator) -> AsyncIterator[Redirecting]:
    _emulator.reset()
    async with redirecting(_emulator.url) as upstream:
        yield upstream


@dataclass(frozen=True, slots=True)
class Made:
    """The objects that a client made before Gemini began to redirect."""

    gateway: Gateway
    file_id: str
    file: str
    cache: str
    batch: str
    interaction: str
    upload_url: str

    async def answered(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = await self.gateway.client.request(method, path, **more)
        return answer.status_code, answer.text

    async def command(self, words: str, data: bytes = b"", offset: int = 0) -> tuple[int, str]:
        headers = {"x-goog-upload-command": words, "x-goog-upload-offset": str(offset)}
        return await self.answered("POST", self.upload_url, content=data, headers=headers)


async def made(gateway: Gateway) -> Made:
    client = gateway.client
    file = (await gateway.post_form("/api/v1/files", ("file", media("speech.wav")))).json()
    cache = (await client.post("/v1beta/cachedContents", json={"model": f"models/{MODEL}", **PROMPT})).json()
    requests = {"requests": {"requests": [{"request": PROMPT}]}}
    batch = await client.post(f"/v1beta/models/{MODEL}:batchGenerateContent", json={"batch": {"inputConfig": requests}})
    interaction = await client.post("/v1beta/interactions", json={"model": MODEL, "input": "Hello"})
    native = await upload_start(gateway)
    single = await client.post("/upload/v1beta/files", content=b"a file", headers=RAW)
    return Made(
        gateway,
        file["id"],
        single.json()["file"]["name"],
        cache["name"],
        batch.json()["name"],
        interaction.json()["id"],
        native,
    )


RAW = {"x-goog-upload-protocol": "raw", "content-type": "text/plain"}
START = {
    "x-goog-upload-protocol": "resumable",
    "x-goog-upload-command": "start",
    "x-goog-upload-header-content-type": "text/plain",
    "x-goog-upload-header-content-length": str(len(FILE)),
}


async def upload_start(gateway: Gateway) -> str:
    answer = await gateway.client.post("/upload/v1beta/files", json={"file": {}}, headers=START)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-goog-upload-url"])


Call = Callable[[Made], Awaitable[tuple[int, str]]]


def native(method: str, path: str, **more: Any) -> Call:
    def url(made: Made) -> str:
        return path.format(cache=made.cache, batch=made.batch, interaction=made.interaction, file=made.file)

    return lambda made: made.answered(method, url(made), **more)


def model(verb: str, body: Any = PROMPT) -> Call:
    return native("POST", f"/v1beta/models/{MODEL}:{verb}", json=body)


def form(path: str, *parts: Any) -> Call:
    async def call(made: Made) -> tuple[int, str]:
        answer = await made.gateway.post_form(path, *parts)
        return answer.status_code, answer.text

    return call


async def live(made: Made) -> tuple[int, str]:
    """Open a Live session; tells the status of its handshake, or the code and reason of its end."""
    try:
        async with connect(f"ws://127.0.0.1:{made.gateway.port}{LIVE}", proxy=None) as socket:
            await socket.send(f'{{"setup": {{"model": "models/{MODEL}"}}}}')
            async with asyncio.timeout(10):
                await socket.recv()
    except InvalidStatus as refused:
        return refused.response.status_code, (refused.response.body or b"").decode()
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (0, "")
    return 200, "the session was opened"


EMBED = {"content": {"parts": [{"text": "Hello"}]}}
BATCH = {"batch": {"inputConfig": {"requests": {"requests": [{"request": PROMPT}]}}}}
NATIVE: dict[str, Call] = {
    "native.models.list": native("GET", "/v1beta/models"),
    "native.models.get": native("GET", f"/v1beta/models/{MODEL}"),
    "native.generateContent": model("generateContent"),
    "native.streamGenerateContent": model("streamGenerateContent?alt=sse"),
    "native.countTokens": model("countTokens"),
    "native.embedContent": model("embedContent", EMBED),
    "native.batchEmbedContents": model("batchEmbedContents", {"requests": [EMBED]}),
    "native.batchGenerateContent": model("batchGenerateContent", BATCH),
    "native.asyncBatchEmbedContent": model("asyncBatchEmbedContent", BATCH),
    "native.upload": native("POST", "/upload/v1beta/files", content=b"raw", headers=RAW),
    "native.files.list": native("GET", "/v1beta/files"),
    "native.files.get": native("GET", "/v1beta/{file}"),
    "native.files.delete": native("DELETE", "/v1beta/{file}"),
    "native.files.download": native("GET", "/v1beta/{file}:download?alt=media"),
    "native.cachedContents.create": native(
        "POST", "/v1beta/cachedContents", json={"model": f"models/{MODEL}", **PROMPT}
    ),
    "native.cachedContents.list": native("GET", "/v1beta/cachedContents"),
    "native.cachedContents.get": native("GET", "/v1beta/{cache}"),
    "native.cachedContents.patch": native("PATCH", "/v1beta/{cache}", json={"ttl": "300s"}),
    "native.cachedContents.delete": native("DELETE", "/v1beta/{cache}"),
    "native.batches.list": native("GET", "/v1beta/batches"),
    "native.batches.get": native("GET", "/v1beta/{batch}"),
    "native.batches.cancel": native("POST", "/v1beta/{batch}:cancel"),
    "native.batches.delete": native("DELETE", "/v1beta/{batch}"),
    "native.interactions.create": native("POST", "/v1beta/interactions", json={"model": MODEL, "input": "Hello"}),
    "native.interactions.get": native("GET", "/v1beta/interactions/{interaction}"),
    "native.interactions.cancel": native("POST", "/v1beta/interactions/{interaction}/cancel"),
    "native.interactions.delete": native("DELETE", "/v1beta/interactions/{interaction}"),
    "native.live": live,
    "openai.chat.completions": native("POST", "/v1beta/openai/chat/completions", json=CHAT),
    "openai.embeddings": native("POST", "/v1beta/openai/embeddings", json={"model": MODEL, "input": "Hello"}),
    "openai.models.list": native("GET", "/v1beta/openai/models"),
    "openai.models.get": native("GET", f"/v1beta/openai/models/{MODEL}"),
}
# These answer from the registry: a list of files that are not processing asks Gemini nothing.
UNASKED = frozenset({"native.files.list"})
UPLOADS: dict[str, Call] = {
    "start": lambda made: made.answered("POST", "/upload/v1beta/files", json={"file": {}}, headers=START),
    "chunk": lambda made: made.command("upload", FILE[:GRANULE]),
    "query": lambda made: made.command("query"),
    "finalize": lambda made: made.command("upload, finalize", FILE),
    "multipart": lambda made: made.answered(
        "POST", "/upload/v1beta/files?uploadType=media", content=b"x", headers={"content-type": "text/plain"}
    ),
}
PICTURE = ("file", media("shapes.png"))
SOUND = ("file", media("speech.wav"))
REST: dict[str, Call] = {
    "generate": form("/api/v1/generate", ("prompt", "Hello")),
    "generate of a large file": form("/api/v1/generate", ("prompt", "Hello"), SOUND),
    "chat": native(
        "POST", "/api/v1/chat", json={"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "stream": False}
    ),
    "countTokens": form("/api/v1/count-tokens", ("prompt", "Hello")),
    "captionImage": form("/api/v1/images/captions", PICTURE),
    "detectObjects": form("/api/v1/images/detections", PICTURE),
    "segmentImage": form("/api/v1/images/segmentations", PICTURE),
    "compareImages": form("/api/v1/images/comparisons", PICTURE, PICTURE),
    "transcribeAudio": form("/api/v1/audio/transcriptions", SOUND),
    "makeSubtitles": form("/api/v1/audio/subtitles", SOUND),
    "createTranscription": form("/v1beta/openai/audio/transcriptions", ("model", "whisper-1"), SOUND),
    "documentToMarkdown": form("/api/v1/documents/markdown", ("file", media("report.pdf"))),
    "describeVideo": form("/api/v1/videos/descriptions", ("file", media("scenes.mp4"))),
    "uploadFile": form("/api/v1/files", PICTURE),
    "uploadRawFile": native("PUT", "/api/v1/files/raw/a.txt", content=b"other text"),
    "listModels": native("GET", "/api/v1/models"),
    "getModel": native("GET", f"/api/v1/models/{MODEL}"),
}


# These ask Gemini nothing, or after their answer: deletions have a test of their own.
UNASKING = frozenset(
    {"listFiles", "getFile", "deleteFile", "createToken", "getUsage", "getHealth", "getReadiness", "getProblem"}
)


@asynccontextmanager
async def gateway_of(upstream: Redirecting, folder: Path, **more: Any) -> AsyncIterator[Made]:
    # No list of models is kept, so that each call for one asks Gemini.
    chosen = {"models_cache_s": 0, "inline_limit_bytes": 100_000, "chunk_bytes": GRANULE, "chunk_timeout_s": 10, **more}
    async with running_gateway(upstream.url, folder, **chosen) as gateway:
        yield await made(gateway)


async def is_refused(upstream: Redirecting, other: Elsewhere, call: Awaitable[tuple[int, str]], *, asks: bool) -> bool:
    """Make a call that Gemini redirects, and return whether it was refused; it must ask Gemini and nobody else."""
    upstream.redirected.clear()
    status, told = await call
    assert bool(upstream.redirected) is asks
    assert other.connections == 0
    assert other.url not in told
    assert "/followed" not in upstream.paths
    return status in {502, 1011} or not asks


@pytest.mark.parametrize("status", STATUSES)
async def test_no_relayed_call_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, status: int
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status = status
        refused = {}
        for location in (f"{other.url}/v1beta/x", f"{upstream.url}/followed"):
            upstream.location = location
            for name, call in NATIVE.items():
                refused[name] = await is_refused(upstream, other, call(made), asks=name not in UNASKED)

    assert [name for name, was in refused.items() if not was] == []


def test_every_relayed_operation_is_among_them() -> None:
    assert set(NATIVE) == set(HANDLERS)


def test_every_documented_operation_that_asks_gemini_is_among_them() -> None:
    document = orjson.loads((Path(__file__).parents[3] / "openapi/openapi.json").read_bytes())
    documented = {call["operationId"] for calls in document["paths"].values() for call in calls.values()}

    assert documented - UNASKING <= set(REST)


@pytest.mark.parametrize("status", STATUSES)
async def test_no_command_of_an_upload_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, status: int
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status = status
        refused = {}
        for location in (f"{other.url}/v1beta/x", f"{upstream.url}/followed"):
            upstream.location = location
            for name, call in UPLOADS.items():
                refused[name] = await is_refused(upstream, other, call(made), asks=True)
        # A cancel that Gemini does not answer is left to the sweep.
        await is_refused(upstream, other, made.command("cancel"), asks=True)

    assert [name for name, was in refused.items() if not was] == []


@pytest.mark.parametrize("status", STATUSES)
async def test_no_call_of_the_rest_surface_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, status: int
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status, upstream.location = status, f"{other.url}/v1beta/x"
        refused = {name: await is_refused(upstream, other, call(made), asks=True) for name, call in REST.items()}

    assert [name for name, was in refused.items() if not was] == []


def commands(*words: str) -> Chooses:
    return lambda request: request.headers.get("X-Goog-Upload-Command", "") in words


@pytest.mark.parametrize("words", [("upload",), ("upload, finalize",), ("upload, finalize", "query")])
async def test_no_chunk_of_the_gateways_own_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status, upstream.location, upstream.chooses = 307, f"{other.url}/v1beta/x", commands(*words)
        content = {"content": b"words " * GRANULE, "headers": {"content-type": "text/plain"}}
        await is_refused(upstream, other, made.answered("PUT", "/api/v1/files/raw/zeros.txt", **content), asks=True)


@pytest.mark.parametrize("status", STATUSES)
async def test_no_stream_of_events_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, status: int
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status, upstream.location = status, f"{other.url}/v1beta/x"
        events = await made.gateway.events(("prompt", "Hello"))

    assert events[-1]["problem"]["code"] == "upstream-failed"
    assert (bool(upstream.redirected), other.connections) == (True, 0)


@pytest.mark.parametrize("status", STATUSES)
async def test_no_deletion_and_no_probe_follows_a_redirect(
    upstream: Redirecting, other: Elsewhere, tmp_path: Path, status: int
) -> None:
    async with gateway_of(upstream, tmp_path) as made:
        upstream.status, upstream.location = status, f"{other.url}/v1beta/x"
        deleted = await made.answered("DELETE", f"/api/v1/files/{made.file_id}")
        await eventually(partial(upstream.has_redirected, "DELETE /v1beta/files/"))

    assert (deleted[0], other.connections) == (204, 0)
    upstream.redirected.clear()
    # Another process finds what the first one left behind.
    async with open_database(database_url(tmp_path)) as database, database.transaction() as session:
        await session.execute(text("UPDATE uploads SET lease_until = 1 WHERE lease_until IS NOT NULL"))
    async with running_gateway(upstream.url, tmp_path):
        for expected in ("GET /v1beta/files", "GET /v1beta/models"):
            await eventually(partial(upstream.has_redirected, expected))
    # Without an answer that tells Gemini's time, nothing is reclaimed.
    upstream.chooses = lambda request: request.path != "/v1beta/files"
    async with running_gateway(upstream.url, tmp_path):
        for expected in ("DELETE /v1beta/files/", "POST /upload/"):
            await eventually(partial(upstream.has_redirected, expected))

    assert other.connections == 0
