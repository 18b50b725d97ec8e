"""Pipelined requests: how many are queued, and when the connection is read again."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from app.edge import protocol
from app.edge.cycle import Cycle
from app.edge.limits import EdgeLimits
from tests.integration.edge.wire import HOST, PATIENCE_S, Served, guarded, respond, serving

QUEUED = EdgeLimits(header_timeout_s=PATIENCE_S).max_pipelined


class Steps:
    """A handler that answers a request for each `go`, and notes the paths asked for."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.asked: list[str] = []
        self.has_begun = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        self.has_begun.set()
        await self.go.acquire()
        await respond(send, scope["path"].encode())


def _get(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\n" % number + HOST + b"\r\n"


def _only_connection(served: Served) -> Any:
    (connection,) = served.connections
    return connection


async def test_as_many_requests_as_may_be_queued_are_all_answered_in_order() -> None:
    steps = Steps()
    requests = [_get(number) for number in range(QUEUED + 1)]

    async with serving(guarded(steps)) as served, served.client() as client:
        await client.send(b"".join(requests))
        for _ in requests:
            steps.go.release()
        bodies = [(await client.answer()).body for _ in requests]
        steps.go.release()
        await client.send(_get(99))
        last = await client.answer()

    assert bodies == [b"/%d" % number for number in range(QUEUED + 1)]
    assert last.body == b"/99"


async def test_with_more_requests_queued_only_the_running_one_is_answered_and_the_connection_closed() -> None:
    steps = Steps()

    async with serving(guarded(steps)) as served, served.client() as client:
        await client.send(b"".join(_get(number) for number in range(QUEUED + 2)))
        await steps.has_begun.wait()
        connection = _only_connection(served)
        queued = len(connection.pipeline)
        steps.go.release()
        answer = await client.answer()
        rest = await client.rest()

    assert queued == 0
    assert (answer.body, answer.headers["connection"]) == (b"/0", "close")
    assert rest == b""
    assert steps.asked == ["/0"]


async def test_one_read_makes_no_more_requests_than_may_be_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps()
    made: list[Cycle] = []

    def make(**values: Any) -> Cycle:
        made.append(Cycle(**values))
        return made[-1]

    monkeypatch.setattr(protocol, "Cycle", make)
    async with serving(guarded(steps)) as served, served.client() as client:
        await client.send(_get(0) * 1_000)
        await steps.has_begun.wait()
        steps.go.release()
        answer = await client.answer()

    assert answer.headers["connection"] == "close"
    assert len(made) == QUEUED + 1
    assert steps.asked == ["/0"]


async def test_a_connection_is_read_again_only_when_no_request_is_queued() -> None:
    steps = Steps()

    async with serving(guarded(steps)) as served, served.client() as client:
        await client.send(_get(0) + _get(1) + _get(2))
        await steps.has_begun.wait()
        connection = _only_connection(served)
        is_paused = []
        for _ in range(3):
            steps.go.release()
            await client.answer()
            is_paused.append(connection.flow.read_paused)

    assert is_paused == [True, False, False]


async def test_a_handler_that_waits_for_its_client_to_leave_does_not_admit_further_requests() -> None:
    has_read = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.create_task(asyncio.wait_for(receive(), PATIENCE_S))
        await asyncio.sleep(0)
        has_read.set()
        (connection,) = connections
        is_paused = connection.flow.read_paused
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await respond(send, str(is_paused).encode())

    async with serving(guarded(wait)) as served, served.client() as client:
        connections = served.connections
        await client.send(_get(0) + _get(1))
        bodies = [(await client.answer()).body for _ in range(2)]

    assert bodies == [b"True", b"False"]


async def test_a_queued_body_is_read_when_its_turn_comes() -> None:
    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await respond(send, b"%d" % size)

    large = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000

    async with serving(guarded(count)) as served, served.client() as client:
        sending = asyncio.create_task(client.send(_get(0) + large + _get(1)))
        bodies = [(await client.answer()).body for _ in range(3)]
        await sending

    assert bodies == [b"0", b"2000000", b"0"]


async def test_an_answer_that_is_never_read_ends_its_connection() -> None:
    limits = EdgeLimits(header_timeout_s=PATIENCE_S, unread_s=0.5)

    async def send_much(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, bytes(64 * 1024 * 1024))

    async with serving(guarded(send_much), limits=limits) as served, served.client() as client:
        await client.send(_get(0))
        await served.until_unconnected()
