import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from app.clients.fetching import MAX_DOCUMENT_BYTES, fetcher
from app.clients.jwks import Fetch, FetchFailedError


@pytest.fixture
async def fetch() -> AsyncIterator[Fetch]:
    async with aiohttp.ClientSession() as session:
        yield fetcher(session)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def document(_: web.Request) -> web.Response:
        return web.Response(body=b'{"keys": []}')

    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/document"})

    async def fails(_: web.Request) -> web.Response:
        return web.Response(status=500)

    async def endless(_: web.Request) -> web.Response:
        return web.Response(body=b"a" * (MAX_DOCUMENT_BYTES + 1))

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return answer

    app = web.Application()
    for handler in (document, elsewhere, fails, endless, bomb, cut):
        app.router.add_get(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_document_is_fetched_as_it_is(fetch: Fetch, url: str) -> None:
    assert await fetch(f"{url}/document") == b'{"keys": []}'


@pytest.mark.parametrize(
    ("path", "why"),
    [("elsewhere", "302"), ("fails", "500"), ("missing", "404"), ("endless", "too large"), ("bomb", "too large")],
)
async def test_a_redirected_or_large_jwks_is_a_failure(fetch: Fetch, url: str, path: str, why: str) -> None:
    with pytest.raises(FetchFailedError, match=why):
        await fetch(f"{url}/{path}")


@pytest.mark.parametrize("path", ["/cut", "http://127.0.0.1:1/closed", "not a URL", ""])
async def test_an_unreachable_or_cut_jwks_is_a_failure(fetch: Fetch, url: str, path: str) -> None:
    with pytest.raises(FetchFailedError):
        await fetch(url + path if path.startswith("/") else path)
