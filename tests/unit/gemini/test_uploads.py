"""Upload sessions over a real socket: the answers of a hostile or unlucky Gemini."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from app.errors import GatewayError, UploadFailedError, UpstreamCredentialsError, UpstreamFailedError
from app.gemini import resumable
from app.gemini.credentials import ApiKey
from app.gemini.resumable import ActiveUpload, DroppedUpload, ResumableSession, read_count
from app.gemini.uploads import MAX_URL_CHARS, ResumableUploads, UnknownLengths
from app.gemini.upstream import open_upstream
from app.settings import Settings

MOST = 1 << 20
NAME = "a" * 40
FILE = {"name": f"files/{NAME}", "uri": f"https://g/files/{NAME}", "sizeBytes": "3", "state": "ACTIVE"}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def uploads(answer: Answer) -> AsyncIterator[tuple[ResumableUploads, str]]:
    """Open uploads whose every request `answer` answers; also give the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings(_env_file=None, gemini_base_url=base)
    try:
        async with open_upstream(settings, ApiKey("a-key")) as upstream:
            yield (
                ResumableUploads(
                    upstream,
                    unknown_lengths=UnknownLengths("yes"),
                    chunk_timeout_s=5,
                    max_granularity=MOST,
                ),
                base,
            )
    finally:
        await runner.cleanup()


async def started(headers: dict[str, str], *, url: str | None = None) -> tuple[ResumableSession, str]:
    async def answer(request: web.Request) -> web.Response:
        own = f"http://{request.headers['Host']}/u?upload_id=1&key=k"
        return web.Response(headers={"X-Goog-Upload-URL": own if url is None else url, **headers})

    async with uploads(answer) as (opened, base):
        return await opened.start(name=NAME, mime_type="text/plain", size_bytes=3), base


@pytest.mark.parametrize("written", ["0", "-1", "1e9", str(MOST + 1), "9" * 5_000, "٣", "262144x"])
async def test_a_granularity_that_no_chunk_can_have_is_refused(written: str) -> None:
    with pytest.raises(UpstreamFailedError, match="CHUNK_BYTES"):
        await started({"X-Goog-Upload-Chunk-Granularity": written})


@pytest.mark.parametrize(("headers", "granularity"), [({}, 262_144), ({"X-Goog-Upload-Chunk-Granularity": "8"}, 8)])
async def test_a_session_is_opened_with_its_granularity_and_without_the_key(
    headers: dict[str, str], granularity: int
) -> None:
    session, base = await started(headers)

    assert session.granularity == granularity
    assert session.url == f"{base}/u?upload_id=1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//127.0.0.1/u",
        "/upload",
        "http://",
        "http://127.0.0.1:port/u",
        "http://127.0.0.1:99999999/u",
        "http://[::1/u",
        "ftp:x",
        "https://elsewhere.example/u",
        "http://127.0.0.1:1/u",
        "http://user@127.0.0.1/u",
        "x" * (MAX_URL_CHARS + 1),
    ],
)
async def test_an_upload_url_that_is_malformed_foreign_or_long_is_an_upstream_error(url: str) -> None:
    with pytest.raises(UpstreamFailedError, match="address"):
        await started({}, url=url)


async def test_an_upload_url_of_geminis_own_that_is_too_long_is_refused() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Goog-Upload-URL": f"http://{request.headers['Host']}/{'x' * MAX_URL_CHARS}"})

    async with uploads(answer) as (opened, _):
        with pytest.raises(UpstreamFailedError, match="address"):
            await opened.start(name=NAME, mime_type="text/plain", size_bytes=3)


@pytest.mark.parametrize(
    ("written", "read"), [("0", 0), ("262144", 262_144), ("", None), ("-1", None), ("٣", None), ("9" * 16, None)]
)
def test_a_number_of_bytes_is_read_from_its_digits_alone(written: str, read: int | None) -> None:
    assert read_count(written) == read


@asynccontextmanager
async def session(answer: Answer) -> AsyncIterator[ResumableSession]:
    async with uploads(answer) as (opened, base):
        yield opened.resume(f"{base}/u", name=NAME)


def words_of(request: web.Request) -> str:
    return "get" if request.method == "GET" else request.headers["X-Goog-Upload-Command"].partition(",")[0]


def said(status: str, body: object = None, *, code: int = 200, received: str = "3") -> web.Response:
    headers = {"X-Goog-Upload-Status": status, "X-Goog-Upload-Size-Received": received}
    return web.json_response(body, headers=headers, status=code)


ABSENT = {"error": {"code": 403, "message": "You do not have permission to access the File or it may not exist."}}
OTHER = {"file": {**FILE, "name": "files/another"}}


@pytest.mark.parametrize(
    ("finalize", "query", "get", "asked"),
    [
        (said("final", {"file": FILE}), None, None, 1),
        (said("final", OTHER), said("final", {"file": FILE}), None, 2),
        (said("final", {"file": FILE}, code=400), said("final", {"file": FILE}), None, 2),
        (web.Response(status=503), said("final", [1]), web.json_response(FILE), 3),
        (said("final", "no file"), said("cancelled"), web.json_response(FILE), 3),
        (web.Response(status=503), web.Response(status=404), web.json_response(FILE), 3),
        (said("final"), web.Response(status=500), web.json_response(FILE), 3),
    ],
)
async def test_after_a_failed_finalize_the_query_tells_of_the_file_and_else_its_name(
    finalize: web.Response, query: web.Response | None, get: web.Response | None, asked: int
) -> None:
    seen: list[str] = []
    answers = {"upload": finalize, "query": query, "get": get}

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        seen.append(words_of(request))
        found = answers[seen[-1]]
        assert found is not None
        return found

    async with session(answer) as opened:
        file = await opened.finalize(memoryview(b"abc"), 0)

    assert file.name == NAME
    assert file.body.startswith(b'{"file":')
    assert seen == ["upload", "query", "get"][:asked]


@pytest.mark.parametrize("gone", [said("cancelled"), web.Response(status=404), web.Response(status=410)])
async def test_a_session_that_is_gone_and_has_no_file_is_dropped(gone: web.Response) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(ABSENT, status=403) if request.method == "GET" else gone

    async with session(answer) as opened:
        assert await opened.standing() == DroppedUpload()


async def test_a_query_says_how_many_bytes_have_come() -> None:
    async def answer(_: web.Request) -> web.Response:
        return said("active", received="7")

    async with session(answer) as opened:
        assert await opened.standing() == ActiveUpload(7)


@pytest.mark.parametrize("get", [web.json_response(ABSENT, status=403), web.Response(status=503), said("", OTHER)])
async def test_where_nothing_tells_how_an_upload_stands_it_is_neither_lost_nor_done(get: web.Response) -> None:
    async def answer(request: web.Request) -> web.Response:
        return get if request.method == "GET" else web.Response(status=503)

    async with session(answer) as opened:
        with pytest.raises(GatewayError) as raised:
            await opened.standing()

    assert not isinstance(raised.value, UploadFailedError)
    assert raised.value.retryable


async def test_a_refused_key_is_told_as_such_at_the_end_of_an_upload() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"error": {"code": 403, "message": "no"}}, status=403)

    async with session(answer) as opened:
        with pytest.raises(UpstreamCredentialsError):
            await opened.finalize(memoryview(b"abc"), 0)


async def test_a_finalize_that_is_never_answered_gives_up_after_three_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        seen.append(words_of(request))
        return web.Response(status=503)

    seen: list[str] = []
    monkeypatch.setattr(resumable, "PAUSE_S", 0.0)
    async with session(answer) as opened:
        with pytest.raises(UploadFailedError, match="three tries"):
            await opened.finalize(memoryview(b"abc"), 0)

    assert seen == ["upload", "query", "get"] * 3


async def test_the_end_of_an_upload_repeats_only_the_bytes_that_are_missing() -> None:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        words = words_of(request)
        if words == "query":
            return said("active", received="2")
        bodies.append(body)
        return web.Response(status=503) if len(bodies) == 1 else said("final", {"file": FILE})

    bodies: list[bytes] = []
    async with session(answer) as opened:
        file = await opened.finalize(memoryview(b"abc"), 0)

    assert bodies == [b"abc", b"c"]
    assert file.name == NAME
