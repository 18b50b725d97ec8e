import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from app.errors import UpstreamTimeoutError
from app.gemini.credentials import ApiKey
from app.gemini.upstream import Upstream, open_upstream
from app.settings import Settings


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """A client of a server that answers at once, with three connections for all calls but control calls."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings(_env_file=None, gemini_base_url=base_url, upstream_connections=4, connection_wait_s=5)
    try:
        async with open_upstream(settings, ApiKey("a-key")) as opened:
            yield opened
    finally:
        await runner.cleanup()


async def test_a_deadline_that_passes_while_an_exchange_ends_is_told_as_one_and_frees_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with upstream() as opened:
        url = opened.url("/v1beta/models")

        async def never() -> None:
            await asyncio.Event().wait()

        for _ in range(4):
            with pytest.raises(UpstreamTimeoutError):
                async with opened.request("GET", url, headers={}, timeout_s=0.3) as answer:
                    monkeypatch.setattr(answer, "wait_for_close", never)

        async with opened.request("GET", url, headers={}) as answer:
            assert answer.status == 200
