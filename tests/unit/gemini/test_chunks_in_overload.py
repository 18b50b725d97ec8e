"""Chunks of an upload while every connection to Gemini is in use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from app.errors import BusyError
from app.gemini.credentials import ApiKey
from app.gemini.resumable import ResumableSession
from app.gemini.upstream import Upstream, open_upstream
from app.settings import Settings
from tests.answering import answering

WAIT_S = 1.0


class Occupied:
    """An upstream that holds all other calls, so that no connection is free for a chunk until `may_end` is set."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.is_full = asyncio.Event()
        self.held = 0
        self.chunks = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "X-Goog-Upload-Command" not in request.headers:
            self.held += 1
            if self.held == 3:
                self.is_full.set()
            await self.may_end.wait()
            return web.json_response({})
        self.chunks += 1
        size = len(await request.read())
        return web.Response(headers={"X-Goog-Upload-Status": "active", "X-Goog-Upload-Size-Received": str(size)})


@asynccontextmanager
async def occupied() -> AsyncIterator[tuple[Occupied, Upstream, ResumableSession]]:
    state = Occupied()
    async with answering(state.answer) as server:
        settings = Settings(
            _env_file=None,
            gemini_base_url=server.url,
            upstream_connections=4,
            client_auth="none",
            connection_wait_s=WAIT_S,
        )
        async with open_upstream(settings, ApiKey("a-key")) as upstream:
            calls = [asyncio.create_task(call(upstream)) for _ in range(3)]
            await state.is_full.wait()
            url = str(upstream.url("/upload/session"))
            yield state, upstream, ResumableSession(upstream, url, name="a", chunk_timeout_s=30)
            state.may_end.set()
            await asyncio.gather(*calls)


async def call(upstream: Upstream) -> None:
    async with upstream.request("GET", upstream.url("/v1beta/x"), headers={}):
        pass


async def test_a_held_chunk_waits_for_a_connection_longer_than_a_call() -> None:
    async with occupied() as (state, _, session):
        sending = asyncio.create_task(session.send_chunk(memoryview(bytes(100)), 0))
        await asyncio.sleep(1.5 * WAIT_S)
        assert not sending.done()
        state.may_end.set()
        await sending

    assert state.chunks == 1


async def test_a_held_chunk_that_gets_no_connection_in_three_tries_is_busy() -> None:
    async with occupied() as (state, _, session):
        with pytest.raises(BusyError):
            await session.send_chunk(memoryview(bytes(100)), 0)

    assert state.chunks == 0


async def test_a_chunk_that_a_client_sends_is_refused_after_one_wait() -> None:
    async def body() -> AsyncIterator[memoryview]:
        yield memoryview(bytes(100))

    async with occupied() as (state, _, session):
        with pytest.raises(BusyError):
            await session.command("upload", offset=0, body=body(), length=100)

    assert state.chunks == 0


async def test_queries_and_cancels_have_connections_of_their_own() -> None:
    async with occupied() as (state, _, session):
        reply = await session.command("query")
        await session.cancel()

    assert reply is not None
    assert (reply.status, state.chunks) == ("active", 2)
