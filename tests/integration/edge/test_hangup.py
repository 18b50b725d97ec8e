"""A client that goes away is noticed: while work runs, while its body is held back, while it is asked for more."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from app.edge.hangup import until_hangup
from app.errors import ClientGoneError
from app.request.context import RequestContext, context_of
from tests.integration.edge.wire import HOST, PATIENCE_S, Served, echo, guarded, respond, serving

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
HELD_BACK_POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000000\r\n\r\n" + b"x" * 1_000_000


def scope_with(hangup: asyncio.Future[None]) -> Scope:
    scope: Scope = {"type": "http"}
    RequestContext(hangup).place(scope)
    return scope


@dataclass
class Work:
    """A handler that works until its client leaves, and never reads the body."""

    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    raised: list[BaseException] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.has_begun.set()
        try:
            async with until_hangup(scope):
                await asyncio.Event().wait()
        except BaseException as error:
            self.raised.append(error)
            raise
        finally:
            self.was_cancelled.set()


async def _leave(served: Served, work: Work, request: bytes) -> None:
    async with served.client() as client:
        client.writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            await work.has_begun.wait()
        client.reset()
        async with asyncio.timeout(PATIENCE_S):
            await work.was_cancelled.wait()


@pytest.mark.parametrize("request_bytes", [GET, HELD_BACK_POST, GET + GET], ids=["idle", "held back", "pipelined"])
async def test_work_ends_when_its_client_is_gone(request_bytes: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    work = Work()

    async with serving(guarded(work)) as served:
        await _leave(served, work, request_bytes)
        await served.until_unconnected()

    assert [type(error) for error in work.raised] == [ClientGoneError]
    assert [record.message.split(" ")[2] for record in caplog.records if record.name == "gateway.access"] == ["499"]


async def test_an_orderly_close_ends_the_work_too() -> None:
    work = Work()

    async with serving(guarded(work)) as served, served.client() as client:
        await client.send(GET)
        await work.has_begun.wait()
        client.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await work.was_cancelled.wait()

    assert [type(error) for error in work.raised] == [ClientGoneError]


async def test_a_client_that_leaves_within_its_body_is_a_499(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    request = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"

    async with serving(guarded(echo)) as served:
        async with served.client() as client:
            await client.send(request)
            await client.reader.readuntil(b"\r\n\r\n")
            client.reset()
        await served.until_unconnected()

    assert [record.message.split(" ")[2] for record in caplog.records if record.name == "gateway.access"] == ["499"]


async def test_work_that_ends_first_is_untouched_by_a_later_hang_up() -> None:
    futures: list[asyncio.Future[None] | None] = []

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        futures.append(context_of(scope).hangup)
        async with until_hangup(scope):
            await respond(send)

    async with serving(guarded(work)) as served:
        async with served.client() as client:
            await client.send(GET)
            await client.answer()
            client.reset()
        await served.until_unconnected()

    assert [future and future.done() for future in futures] == [False]


async def test_a_cancellation_from_outside_passes_through() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with until_hangup(scope_with(hangup)):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_a_hang_up_at_the_same_moment() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with until_hangup(scope_with(hangup)):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    hangup.set_result(None)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_after_a_hang_up_the_task_can_go_on_to_clean_up() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def leave() -> None:
        async with until_hangup(scope_with(hangup)):
            hangup.set_result(None)
            await asyncio.Event().wait()

    async def work() -> int:
        with pytest.raises(ClientGoneError):
            await leave()
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert await asyncio.create_task(work()) == 0


async def test_a_client_that_has_gone_before_is_told_at_once() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    hangup.set_result(None)

    with pytest.raises(ClientGoneError):
        async with until_hangup(scope_with(hangup)):
            pytest.fail("the block ran for nobody")


async def test_without_a_connection_the_block_runs_as_it_is() -> None:
    async with until_hangup({"type": "http"}):
        result = "done"

    assert result == "done"


async def test_a_hangup_after_the_block_cancels_nothing() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async with until_hangup(scope_with(hangup)):
        # The future's callback is due, but runs only after the block has ended.
        hangup.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
