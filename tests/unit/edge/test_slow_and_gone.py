"""Bodies that come too slowly, told by a clock of the test's own, and hang-ups that come too late."""

import asyncio
from collections.abc import Iterator

import pytest

from app.edge import body
from app.edge.hangup import until_hangup
from app.errors import SlowBodyError

SCOPE = {"type": "http", "headers": []}


async def read(monkeypatch: pytest.MonkeyPatch, pieces: list[tuple[float, int]], *, rate: int) -> int:
    """Read a body whose pieces take these seconds and have these bytes; gives how many bytes came."""
    clock = 0.0
    waiting = iter(pieces)

    def ticks() -> Iterator[float]:
        while True:
            yield clock

    async def receive() -> dict[str, object]:
        nonlocal clock
        seconds, size = next(waiting, (0.0, 0))
        clock += seconds
        return {"type": "http.request", "body": bytes(size), "more_body": size > 0}

    times = ticks()
    monkeypatch.setattr(body, "monotonic", lambda: next(times))
    stream = body.body_of(SCOPE, receive, idle_timeout_s=60, min_body_rate=rate, grace_s=10)
    return sum([len(piece) async for piece in stream])


async def test_what_came_fast_at_first_buys_no_time_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SlowBodyError):
        await read(monkeypatch, [(11, 10_000_000), *[(5, 1)] * 10], rate=1_000)


async def test_a_body_that_keeps_its_rate_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await read(monkeypatch, [(5, 6_000)] * 20, rate=1_000) == 120_000


async def test_a_hangup_after_the_block_strikes_nothing() -> None:
    hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async with until_hangup({"extensions": {"gateway.hangup": hangup}}):
        # Its callback is due, but runs only when the block has been left.
        hangup.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
