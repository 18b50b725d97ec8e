"""Connections between two requests: how long they stay."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from app.edge import server
from tests.integration.edge.wire import HOST, answer_ok, guarded, respond, serving

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


async def test_a_connection_that_is_idle_too_long_is_closed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEP_ALIVE_S", 0.1)

    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(GET)
        await client.answer()
        rest = await client.rest()

    assert rest == b""


async def test_each_answer_gives_a_connection_its_whole_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEP_ALIVE_S", 1)

    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(GET)
        await client.answer()
        await asyncio.sleep(0.6)
        await client.send(GET)
        await client.answer()
        await asyncio.sleep(0.6)
        await client.send(GET)
        answer = await client.answer()

    assert answer.status == 200


async def test_a_request_that_takes_longer_than_idle_connections_may_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_KEEP_ALIVE_S", 0.1)

    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.3)
        await respond(send, b"late")

    async with serving(guarded(slowly)) as served, served.client() as client:
        await client.send(GET)
        first = await client.answer()
        await client.send(GET)
        second = await client.answer()
        rest = await client.rest()

    assert (first.body, second.body, rest) == (b"late", b"late", b"")


async def test_an_answer_that_was_just_made_reaches_its_client_though_the_server_shuts_down() -> None:
    async def at_the_end(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"whole")
        for connection in list(served.connections):
            connection.shutdown()

    async with serving(at_the_end) as served, served.client() as client:
        await client.send(GET)
        answer = await client.answer()
        rest = await client.rest()

    assert (answer.body, rest) == (b"whole", b"")
