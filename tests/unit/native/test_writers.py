"""Who writes to an upload's session in one process: the request that came last."""

import asyncio
from itertools import count

import pytest

from app.errors import UploadConflictError
from app.native.writers import Writer, Writers

ARRIVALS = count()


async def write(writers: Writers, stopped: list[int]) -> None:
    """Be a request that writes until it is ended."""
    writer = writers.arrive(next(ARRIVALS))
    await writers.take("session", writer)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        assert writer.was_ended
        stopped.append(writer.number)
    finally:
        writers.leave("session", writer)


async def test_a_request_that_comes_again_waits_until_the_one_before_has_left() -> None:
    writers = Writers()
    stopped: list[int] = []
    hanging = asyncio.create_task(write(writers, stopped))
    await asyncio.sleep(0)
    writer = writers.arrive(next(ARRIVALS))

    await writers.take("session", writer)

    assert stopped == [writer.number - 1]
    await hanging
    assert not writer.was_ended


async def test_a_writer_that_is_giving_its_lease_back_is_waited_for_and_not_cancelled() -> None:
    writers = Writers()
    ending = writers.arrive(next(ARRIVALS))
    await writers.take("session", ending)
    ending.is_ending = True
    coming = asyncio.create_task(writers.take("session", writers.arrive(next(ARRIVALS))))
    await asyncio.sleep(0)
    assert not coming.done()

    writers.leave("session", ending)
    await coming

    assert not ending.was_ended


async def test_an_earlier_request_is_refused_however_late_it_gets_to_write() -> None:
    writers = Writers()
    earlier, later = writers.arrive(next(ARRIVALS)), writers.arrive(next(ARRIVALS))
    await writers.take("session", later)

    with pytest.raises(UploadConflictError):
        await writers.take("session", earlier)


async def test_of_many_requests_that_wait_for_one_the_last_writes() -> None:
    writers = Writers()
    stopped: list[int] = []
    hanging = asyncio.create_task(write(writers, stopped))
    await asyncio.sleep(0)

    async def come() -> Writer | None:
        writer = writers.arrive(next(ARRIVALS))
        try:
            await writers.take("session", writer)
            await asyncio.sleep(0.01)
        except (UploadConflictError, asyncio.CancelledError):
            return None
        finally:
            writers.leave("session", writer)
        return writer

    ended = await asyncio.gather(*(come() for _ in range(4)), return_exceptions=True)

    assert hanging.done()
    assert [isinstance(each, Writer) for each in ended] == [False, False, False, True]


async def test_sessions_have_writers_of_their_own() -> None:
    writers = Writers()
    later = writers.arrive(next(ARRIVALS))
    await writers.take("one", later)
    await writers.take("another", writers.arrive(next(ARRIVALS)))
    writers.leave("one", later)
    await writers.take("one", writers.arrive(next(ARRIVALS)))
