"""The time that Gemini may take, over real sockets, in fractions of a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from app.errors import UpstreamTimeoutError
from app.gemini.credentials import ApiKey
from app.gemini.deadline import Deadline, Patience
from app.gemini.upstream import Upstream, open_upstream
from app.settings import Settings
from tests.answering import Answers, answering

SHORT_S = 0.3
LONG_S = 30.0


def patience(answer_s: float = LONG_S, pause_s: float = LONG_S, stream_s: float = LONG_S) -> Patience:
    return Patience(answer_s, "A_LIMIT", pause_s, stream_s)


@asynccontextmanager
async def upstream(answer: Answers) -> AsyncIterator[Upstream]:
    async with answering(answer) as server:
        settings = Settings(_env_file=None, gemini_base_url=server.url)
        async with open_upstream(settings, ApiKey("a-key")) as opened:
            yield opened


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def stalls(request: web.Request) -> web.StreamResponse:
    """Answer a head and two pieces, then nothing more."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    for _ in range(2):
        await answer.write(b"data: {}\n\n")
    await asyncio.Event().wait()
    return answer


async def drips(request: web.Request) -> web.StreamResponse:
    """Answer a piece every 20 ms, without an end."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"data: {}\n\n")
        await asyncio.sleep(0.02)


async def read(opened: Upstream, given: Patience, *, is_stream: bool, body: AsyncIterator[bytes] | None = None) -> int:
    """Read an answer to its end, and return the number of its bytes."""
    deadline = Deadline(given)
    size = 0
    headers = {"Content-Length": "10"} if body is not None else {}
    async with opened.request("POST", opened.url("/x"), headers=headers, body=body, deadline=deadline) as answer:
        async for piece in deadline.pieces(answer, is_stream=is_stream):
            size += len(piece)
    return size


async def test_an_answer_that_does_not_come_is_late() -> None:
    async with upstream(never) as opened:
        with pytest.raises(UpstreamTimeoutError, match=r"No answer from Gemini within 0\.3 s \(A_LIMIT\)"):
            await read(opened, patience(SHORT_S), is_stream=False)


@pytest.mark.parametrize("answer", [stalls, drips])
async def test_a_whole_answer_that_does_not_end_is_late(answer: Answers) -> None:
    async with upstream(answer) as opened:
        with pytest.raises(UpstreamTimeoutError, match=r"No answer from Gemini within 0\.3 s"):
            await read(opened, patience(SHORT_S), is_stream=False)


async def test_a_streams_first_byte_is_late_but_not_the_bytes_behind_it() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(3):
            await answer.write(b"piece")
            await asyncio.sleep(2 * SHORT_S)
        return answer

    async with upstream(never) as opened:
        with pytest.raises(UpstreamTimeoutError, match=r"No answer from Gemini within 0\.3 s"):
            await read(opened, patience(SHORT_S), is_stream=True)
    async with upstream(slow) as opened:
        assert await read(opened, patience(SHORT_S), is_stream=True) == 15


async def test_a_stream_whose_head_alone_comes_is_late() -> None:
    async def head(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.Event().wait()
        return answer

    async with upstream(head) as opened:
        with pytest.raises(UpstreamTimeoutError, match="No answer"):
            await read(opened, patience(SHORT_S), is_stream=True)


async def test_a_begun_stream_may_pause_for_a_while() -> None:
    async with upstream(stalls) as opened:
        with pytest.raises(UpstreamTimeoutError, match=r"paused for more than 0\.3 s"):
            await read(opened, patience(pause_s=SHORT_S), is_stream=True)


async def test_a_stream_may_last_for_a_while() -> None:
    async with upstream(drips) as opened:
        with pytest.raises(UpstreamTimeoutError, match=r"lasted longer than 0\.3 s \(STREAM_TIMEOUT_S\)"):
            await read(opened, patience(stream_s=SHORT_S), is_stream=True)


async def test_the_time_of_a_stream_rests_while_a_piece_is_passed_on() -> None:
    async def two(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"one")
        await asyncio.sleep(0.05)
        await answer.write(b"two")
        return answer

    deadline = Deadline(patience(SHORT_S, pause_s=SHORT_S))
    async with (
        upstream(two) as opened,
        opened.request("POST", opened.url("/x"), headers={}, deadline=deadline) as answer,
    ):
        async for _ in deadline.pieces(answer, is_stream=True):
            # The client reads slowly.
            await asyncio.sleep(2 * SHORT_S)


async def test_the_time_runs_from_the_end_of_a_body_that_a_client_sends() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def slow_body() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"12"
            await asyncio.sleep(SHORT_S / 2)

    async with upstream(echo) as opened:
        assert await read(opened, patience(SHORT_S), is_stream=False, body=slow_body()) == 10


async def test_an_answer_is_late_after_a_body_that_took_long() -> None:
    async def slow_body() -> AsyncIterator[bytes]:
        yield b"1234567890"
        await asyncio.sleep(SHORT_S)

    async with upstream(never) as opened:
        with pytest.raises(UpstreamTimeoutError, match="No answer"):
            await read(opened, patience(SHORT_S), is_stream=False, body=slow_body())


async def test_a_gemini_that_takes_no_more_of_a_body_is_late() -> None:
    async def endless_body() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 16)

    async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_over.wait()
        writer.close()

    is_over = asyncio.Event()
    server = await asyncio.start_server(read_nothing, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_upstream(Settings(_env_file=None, gemini_base_url=url), ApiKey("a-key")) as opened:
            deadline = Deadline(patience(pause_s=SHORT_S))
            headers = {"Content-Length": str(1 << 40)}
            with pytest.raises(UpstreamTimeoutError, match=r"took no more of the request within 0\.3 s"):
                async with opened.request(
                    "POST", opened.url("/x"), headers=headers, body=endless_body(), deadline=deadline
                ):
                    pass
        is_over.set()


async def test_an_answer_before_the_end_of_the_body_starts_its_own_time() -> None:
    ended = asyncio.Event()

    async def unfinished_body() -> AsyncIterator[bytes]:
        try:
            yield b"12"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with upstream(stalls) as opened:
        with pytest.raises(UpstreamTimeoutError, match="No answer"):
            await read(opened, patience(SHORT_S), is_stream=False, body=unfinished_body())
    async with asyncio.timeout(10):
        await ended.wait()


async def test_a_deadline_counts_the_wait_for_a_connection() -> None:
    deadline = Deadline(patience(SHORT_S))
    deadline.spend(10 * SHORT_S)

    with pytest.raises(UpstreamTimeoutError):
        async with deadline:
            await asyncio.Event().wait()


async def test_the_blocks_own_errors_and_cancellations_pass() -> None:
    with pytest.raises(KeyError):
        async with Deadline(patience()):
            raise KeyError
    with pytest.raises(TimeoutError) as raised:
        async with Deadline(patience()):
            raise TimeoutError
    assert not isinstance(raised.value, UpstreamTimeoutError)
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.01), Deadline(patience()):
            await asyncio.Event().wait()
    assert not isinstance(raised.value, UpstreamTimeoutError)


@pytest.mark.parametrize(
    ("client_s", "is_stream", "answer_s", "limit", "told_s"),
    [
        (None, False, 600, "REQUEST_TIMEOUT_S", 600),
        (None, True, 600, "REQUEST_TIMEOUT_S", None),
        (30, False, 30, "X-Server-Timeout", 30),
        (30, True, 30, "X-Server-Timeout", 30),
        (900, False, 600, "REQUEST_TIMEOUT_S", 600),
        (900, True, 600, "REQUEST_TIMEOUT_S", 900),
    ],
)
async def test_the_smaller_of_the_clients_time_and_the_gateways_holds(
    client_s: float | None, is_stream: bool, answer_s: float, limit: str, told_s: float | None
) -> None:
    async with upstream(never) as opened:
        given = opened.patience(client_s, is_stream=is_stream)

    assert (given.answer_s, given.limit, given.told_s) == (answer_s, limit, told_s)
    assert (given.pause_s, given.stream_s) == (600, 3_600)
