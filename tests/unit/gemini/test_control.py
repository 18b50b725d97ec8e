"""Control calls over a real socket: a hostile Gemini's answers are bounded and never cause a defect."""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from app.errors import GatewayError, UpstreamCredentialsError, UpstreamFailedError, UpstreamUnavailableError
from app.gemini.control import MAX_ANSWER_BYTES, control_errors, open_control
from app.gemini.credentials import ApiKey
from app.gemini.models import MAX_LISTED, Models
from app.gemini.remote_files import RemoteFiles
from app.gemini.upstream import open_upstream
from app.settings import Settings

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
PERMISSION = {"error": {"code": 403, "message": "You do not have permission to access the File a or it may not exist."}}


class Control:
    """The control calls of one upstream."""

    def __init__(self, files: RemoteFiles, models: Models) -> None:
        self.files = files
        self.models = models


@asynccontextmanager
async def control(answer: Answer, key: ApiKey | None = None) -> AsyncIterator[Control]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = Settings(_env_file=None, gemini_base_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with open_upstream(settings, key or ApiKey("a-key")) as upstream, open_control(upstream) as client:
            yield Control(RemoteFiles(client), Models(upstream, client, settings))
    finally:
        await runner.cleanup()


async def test_a_file_is_described() -> None:
    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"name": "files/a", "uri": "https://g/files/a", "state": "PROCESSING"})

    seen: list[web.Request] = []
    async with control(answer) as calls:
        file = await calls.files.get("a")

    assert file is not None
    assert (file.name, file.uri, file.state) == ("a", "https://g/files/a", "PROCESSING")
    [request] = seen
    assert (request.method, request.path) == ("GET", "/v1beta/files/a")
    assert request.headers["x-goog-api-key"] == "a-key"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "google-genai-sdk" in request.headers["x-goog-api-client"]


@pytest.mark.parametrize(("status", "body"), [(404, {"error": {"code": 404, "message": "No."}}), (403, PERMISSION)])
async def test_a_file_that_is_absent_is_none_and_counts_as_deleted(status: int, body: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    async with control(answer) as calls:
        assert await calls.files.get("a") is None
        await calls.files.delete("a")


async def test_a_refusal_of_the_key_is_not_an_absent_file() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": {"code": 403, "message": "Blocked."}}, status=403)

    async with control(answer) as calls:
        for call in (calls.files.get("a"), calls.files.delete("a"), calls.models.listed()):
            with pytest.raises(UpstreamCredentialsError):
                await call


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"<html>", b"\xff", b'{"name": 7}', b'{"models": 7}', b'{"sizeBytes": {}}']
)
async def test_an_answer_that_cannot_be_read_is_geminis_fault(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with control(answer) as calls:
        for call in (calls.files.get("a"), calls.files.delete("a"), calls.models.listed()):
            try:
                await call
            except GatewayError as error:
                assert isinstance(error, UpstreamFailedError)  # noqa: PT017  # some of these can be read


async def test_an_answer_beyond_the_bound_is_refused() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        endless = web.StreamResponse()
        await endless.prepare(request)
        for _ in range(2 * MAX_ANSWER_BYTES // 65_536):
            await endless.write(bytes(65_536))
        return endless

    async with control(answer) as calls:
        with pytest.raises(UpstreamFailedError, match="larger"):
            await calls.files.get("a")


async def test_a_compressed_bomb_is_refused() -> None:
    bomb = gzip.compress(bytes(20 * MAX_ANSWER_BYTES))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with control(answer) as calls:
        with pytest.raises(UpstreamFailedError, match="larger"):
            await calls.files.get("a")


async def test_a_compressed_answer_is_read() -> None:
    async def answer(_: web.Request) -> web.Response:
        body = gzip.compress(b'{"name": "files/a", "state": "ACTIVE"}')
        return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")

    async with control(answer) as calls:
        file = await calls.files.get("a")

    assert file is not None
    assert file.state == "ACTIVE"


async def test_a_list_of_models_without_an_end_is_refused() -> None:
    async def answer(_: web.Request) -> web.Response:
        models = [
            {"name": f"models/m{number}", "supportedGenerationMethods": ["generateContent"]} for number in range(999)
        ]
        return web.json_response({"models": models, "nextPageToken": "again"})

    async with control(answer) as calls:
        with pytest.raises(UpstreamFailedError, match=str(MAX_LISTED)):
            await calls.models.listed()


async def test_a_call_that_fails_for_a_moment_is_repeated() -> None:
    async def answer(_: web.Request) -> web.Response:
        statuses.append(503 if not statuses else 200)
        return web.json_response({"name": "files/a"}, status=statuses[-1])

    statuses: list[int] = []
    async with control(answer) as calls:
        assert await calls.files.get("a") is not None

    assert statuses == [503, 200]


async def test_a_gemini_that_is_away_is_told_as_such() -> None:
    settings = Settings(_env_file=None, gemini_base_url="http://127.0.0.1:9")
    async with open_upstream(settings, ApiKey("a-key")) as upstream, open_control(upstream) as client:
        with pytest.raises(UpstreamUnavailableError):
            await RemoteFiles(client).get("a")

    assert upstream.is_reached is False


async def test_the_key_is_the_one_in_use_and_not_the_first() -> None:
    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers["x-goog-api-key"])
        return web.json_response({"name": "files/a"})

    class Changing(ApiKey):
        def current(self) -> str:
            return f"key-{len(keys)}"

    keys: list[str] = []
    async with control(answer, Changing("unused")) as calls:
        await calls.files.get("a")
        await calls.files.get("a")

    assert keys == ["key-0", "key-1"]


def test_the_gateways_own_errors_pass_unchanged() -> None:
    refused = UpstreamFailedError("A redirect.")

    with pytest.raises(UpstreamFailedError) as raised, control_errors():
        raise refused

    assert raised.value is refused
