import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from app.clients.counter_choice import open_counters
from app.clients.counters import Counter, CounterRequest, Counters, OnOutage
from app.clients.outage import RETRY_S
from app.errors import StoreUnavailableError
from tests.servers import ValkeyServer
from tests.unit.clients.clock import NOON


@pytest.fixture
async def away(valkey: ValkeyServer) -> AsyncIterator[ValkeyServer]:
    valkey.stop()
    yield valkey
    valkey.stop()
    valkey.start()


def request_of(number: int, at: float = NOON, quota: int = 1) -> CounterRequest:
    return CounterRequest(
        number, at, 1, (Counter("client:web:requests", quota),), (Counter("client:web:slots", quota),)
    )


async def outcome(counters: Counters, each: CounterRequest) -> str:
    try:
        return "refused" if (await counters.take(each)).refused is not None else "admitted"
    except StoreUnavailableError:
        return "unavailable"


@pytest.mark.parametrize(
    ("on_outage", "expected"),
    [
        ("local", ["admitted", "refused"]),
        ("allow", ["admitted", "admitted"]),
        ("refuse", ["unavailable", "unavailable"]),
    ],
)
async def test_while_redis_is_away_the_setting_decides(
    away: ValkeyServer, on_outage: OnOutage, expected: list[str]
) -> None:
    async with open_counters(away.url, on_outage) as counters:
        outcomes = [await outcome(counters, request_of(call)) for call in (1, 2)]

        assert outcomes == expected
        assert counters.state == "away"


async def test_a_call_that_was_counted_here_gives_back_here(away: ValkeyServer) -> None:
    async with open_counters(away.url, "local") as counters:
        one = request_of(1)
        await counters.take(one)
        counters.close(one, -1, now=NOON)

        assert await outcome(counters, request_of(2)) == "admitted"


async def test_an_outage_is_said_once_and_so_is_its_end(away: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gateway.limits"):
        async with open_counters(away.url, "allow") as counters:
            for second in range(3):
                await counters.take(request_of(second, NOON + 10 * second))
            away.start()
            state = counters.state
            for second in range(3):
                await counters.take(request_of(10 + second, NOON + 60 + second, quota=3))

            assert (state, counters.state) == ("away", "ok")

    assert caplog.messages == [
        "Redis is unavailable (ConnectionError); LIMITS_ON_OUTAGE=allow",
        "Redis is available again",
    ]


async def test_a_server_that_is_away_is_asked_again_only_after_a_while(away: ValkeyServer) -> None:
    async with open_counters(away.url, "local") as counters:
        await counters.take(request_of(1))
        away.start()
        still = await outcome(counters, request_of(2, NOON + RETRY_S / 2))
        again = await outcome(counters, request_of(2, NOON + RETRY_S))

    assert (still, again) == ("refused", "admitted")


async def test_the_sweep_finds_the_outage_without_any_call(valkey: ValkeyServer) -> None:
    async with open_counters(valkey.url, "local") as counters:
        await counters.renew(now=NOON)
        there = counters.state
        valkey.stop()
        await counters.renew(now=NOON)
        away = counters.state
        valkey.start()
        await counters.renew(now=NOON)

        assert (there, away, counters.state) == ("ok", "away", "ok")


async def test_a_server_that_was_restarted_between_two_calls_is_not_an_outage(valkey: ValkeyServer) -> None:
    async with open_counters(valkey.url, "refuse") as counters:
        await counters.take(request_of(1))
        valkey.stop()
        valkey.start()

        assert await outcome(counters, request_of(2)) == "admitted"


async def test_a_release_during_an_outage_of_redis_fails_no_call(valkey: ValkeyServer) -> None:
    async with open_counters(valkey.url, "local") as counters:
        one = request_of(1)
        await counters.take(one)
        valkey.stop()
        counters.close(one, 0, now=NOON)
    valkey.start()


@pytest.mark.parametrize("turns", range(0, 60, 2))
async def test_a_call_cancelled_during_a_redis_round_trip_ends(valkey: ValkeyServer, turns: int) -> None:
    async with open_counters(valkey.url, "refuse") as counters:

        async def go_on() -> None:
            await counters.renew(now=NOON)
            await asyncio.Event().wait()

        task = asyncio.create_task(go_on())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()

        assert await asyncio.wait((task,), timeout=10) == ({task}, set())
