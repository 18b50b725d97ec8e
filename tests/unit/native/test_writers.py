"""Who writes to an upload's session in one process: the request that came last."""

import asyncio
from itertools import count

import pytest

from app.errors import ClientGoneError
from app.native.writers import Writer, Writers

ARRIVALS = count()


async def write(writers: Writers, stopped: list[int]) -> None:
    """Be a request that writes until it is ended."""
    writer = writers.arrive(next(ARRIVALS))
    await writers.take("session", writer)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        assert writers.was_ended(writer)
        stopped.append(writer.number)
    finally:
        writers.leave("session", writer)


async def test_a_request_that_comes_again_waits_until_the_one_before_has_stopped() -> None:
    writers = Writers()
    stopped: list[int] = []
    hanging = asyncio.create_task(write(writers, stopped))
    await asyncio.sleep(0)
    writer = writers.arrive(next(ARRIVALS))

    await writers.take("session", writer)

    assert stopped == [writer.number - 1]
    assert hanging.done()
    assert not writers.was_ended(writer)


async def test_a_request_that_came_before_gives_way_however_late_it_gets_to_write() -> None:
    writers = Writers()
    earlier, later = writers.arrive(next(ARRIVALS)), writers.arrive(next(ARRIVALS))
    await writers.take("session", later)

    with pytest.raises(ClientGoneError):
        await writers.take("session", earlier)


async def test_of_many_that_wait_for_one_the_last_writes() -> None:
    writers = Writers()
    stopped: list[int] = []
    hanging = asyncio.create_task(write(writers, stopped))
    await asyncio.sleep(0)

    async def come() -> Writer | None:
        writer = writers.arrive(next(ARRIVALS))
        try:
            await writers.take("session", writer)
            await asyncio.sleep(0.01)
        except (ClientGoneError, asyncio.CancelledError):
            return None
        finally:
            writers.leave("session", writer)
        return writer

    ended = await asyncio.gather(*(come() for _ in range(4)), return_exceptions=True)

    assert hanging.done()
    assert [isinstance(each, Writer) for each in ended] == [False, False, False, True]


async def test_sessions_do_not_know_of_each_other() -> None:
    writers = Writers()
    later = writers.arrive(next(ARRIVALS))
    await writers.take("one", later)
    await writers.take("another", writers.arrive(next(ARRIVALS)))
    writers.leave("one", later)
    await writers.take("one", writers.arrive(next(ARRIVALS)))
