"""The relay's requests as bytes, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from app.gemini.relay_request import RelayRequest, post

HEADERS = {"Content-Type": "application/json", "Content-Length": "4"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def upstream(received: list[bytes], answers: Sequence[bytes]) -> AsyncIterator[str]:
    """Serve a connection: each request, up to a closing brace, is taken down and answered; after the last it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            received.append(await reader.readuntil(b"}"))
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


@asynccontextmanager
async def relay() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(request_class=RelayRequest, auto_decompress=False) as session:
        yield session


async def ask(session: aiohttp.ClientSession, url: str, body: bytes) -> aiohttp.ClientResponse:
    return await post(session, URL(url), CIMultiDict(HEADERS), body, read_bufsize=1 << 16)


async def test_the_given_headers_and_the_body_are_all_that_is_sent_and_come_in_one_piece() -> None:
    received: list[bytes] = []

    async with upstream(received, [ANSWER, ANSWER]) as url, relay() as session:
        for _ in range(2):
            async with await ask(session, f"{url}/v1beta/x?alt=sse", b"{\r\n}") as answer:
                assert await answer.read() == b"ok"

    host = url.removeprefix("http://").encode()
    whole = b"POST /v1beta/x?alt=sse HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\n"
    assert received == [whole + b"Content-Length: 4\r\n\r\n{\r\n}"] * 2


async def test_a_body_that_comes_in_pieces_is_sent_as_aiohttp_sends_it() -> None:
    received: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"{ "
        yield b" }"

    async with (
        upstream(received, [ANSWER]) as url,
        relay() as session,
        session.post(url, headers=HEADERS, data=body()) as answer,
    ):
        assert await answer.read() == b"ok"

    assert b"".join(received).endswith(b"Content-Length: 4\r\n\r\n{  }")


async def test_a_connection_that_closes_without_an_answer_is_an_error() -> None:
    async with upstream([], [b""]) as url, relay() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await ask(session, url, b"{  }")


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with upstream([], []) as url:
        pass
    async with relay() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(session, url, b"{  }")


async def test_a_connection_that_broke_is_not_used_again() -> None:
    received: list[bytes] = []
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"

    async with upstream(received, [cut]) as url, relay() as session:
        for _ in range(2):
            async with await ask(session, url, b"{  }") as answer:
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()

    assert len(received) == 2


async def test_a_request_that_is_given_up_in_the_turn_it_was_made_in_is_not_sent() -> None:
    received: list[bytes] = []

    async with upstream(received, [ANSWER, ANSWER]) as url, relay() as session:
        async with await ask(session, url, b"{  }") as answer:
            await answer.read()
        request = ask(session, url, b"{no}")
        # It runs up to the wait for its answer, and is closed there.
        waiting = request.send(None)
        assert not waiting.done()
        request.close()
        await asyncio.sleep(0.01)

    assert len(received) == 1
