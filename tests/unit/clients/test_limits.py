from collections.abc import AsyncIterator

import pytest

from app.clients.counters import open_counters
from app.clients.limits import LEASE_S, Counters, Draw, MemoryCounters, Take
from tests.unit.clients.clock import NOON


@pytest.fixture
async def counters(redis_url: str | None) -> AsyncIterator[Counters]:
    async with open_counters(redis_url, "refuse") as counters:
        yield counters


def draw(
    call: str = "a",
    *,
    at: float = NOON,
    requests: int | None = None,
    tokens: tuple[int, int] | None = None,
    slots: int | None = None,
) -> Draw:
    windows: tuple[Take, ...] = () if requests is None else (Take("client:web:requests", 1, requests),)
    windows += () if tokens is None else (Take("client:web:tokens", *tokens),)
    return Draw(call, at, windows, () if slots is None else (Take("client:web:slots", 1, slots),))


async def test_a_minute_admits_as_many_as_its_quota_and_the_next_one_as_many_again(counters: Counters) -> None:
    first = [(await counters.take(draw(requests=3, at=NOON + second))).refused for second in (0, 10, 20, 59)]
    second = [(await counters.take(draw(requests=3, at=NOON + second))).refused for second in (60, 61, 62, 63)]

    assert first == [None, None, None, 0]
    assert second == [None, None, None, 0]


async def test_what_is_told_is_how_it_stands_after_the_call(counters: Counters) -> None:
    taken = [await counters.take(draw(str(number), requests=2, tokens=(40, 100), slots=5)) for number in range(3)]

    assert [each.used for each in taken] == [(1, 40, 1), (2, 80, 2), (2, 80, 2)]
    assert [each.refused for each in taken] == [None, None, 0]


async def test_a_call_that_one_limit_refuses_takes_nothing_of_the_others(counters: Counters) -> None:
    refused = await counters.take(draw(requests=2, tokens=(101, 100), slots=1))
    admitted = await counters.take(draw(requests=2, tokens=(100, 100), slots=1))

    assert refused.refused == 1
    assert (admitted.used, admitted.refused) == ((1, 100, 1), None)


async def test_a_slot_is_taken_again_when_it_was_given_back(counters: Counters) -> None:
    one = draw("one", slots=1)
    await counters.take(one)
    refused = await counters.take(draw("two", slots=1))
    counters.close(one, (), now=NOON)

    assert refused.refused == 0
    assert (await counters.take(draw("two", slots=1))).refused is None


async def test_a_slot_that_nobody_gives_back_is_free_when_its_lease_ends(counters: Counters) -> None:
    await counters.take(draw("dead", slots=1))

    assert (await counters.take(draw("two", slots=1, at=NOON + LEASE_S - 1))).refused == 0
    assert (await counters.take(draw("two", slots=1, at=NOON + LEASE_S))).refused is None


async def test_a_call_that_still_runs_keeps_its_slot_beyond_its_first_lease(counters: Counters) -> None:
    long = draw("long", slots=1)
    await counters.take(long)
    await counters.renew([long], now=NOON + 100)

    assert (await counters.take(draw("two", slots=1, at=NOON + LEASE_S))).refused == 0
    assert (await counters.take(draw("two", slots=1, at=NOON + LEASE_S + 100))).refused is None


async def test_a_slot_that_was_given_back_does_not_come_back_by_being_prolonged(counters: Counters) -> None:
    one = draw("one", slots=1)
    await counters.take(one)
    counters.close(one, (), now=NOON)
    await counters.drained()
    await counters.renew([one], now=NOON)

    assert (await counters.take(draw("two", slots=1))).refused is None


async def test_tokens_that_were_not_used_are_free_again_in_the_same_minute(counters: Counters) -> None:
    one = draw(tokens=(90, 100))
    await counters.take(one)
    counters.close(one, (-80,), now=NOON + 59)
    await counters.drained()

    assert (await counters.take(draw(tokens=(90, 100)))).used == (100,)


async def test_tokens_that_were_not_used_are_not_a_gift_to_another_minute(counters: Counters) -> None:
    one = draw(tokens=(90, 100))
    await counters.take(one)
    await counters.take(draw("two", tokens=(50, 100), at=NOON + 60))
    counters.close(one, (-80,), now=NOON + 61)
    await counters.drained()

    assert (await counters.take(draw("three", tokens=(51, 100), at=NOON + 62))).refused == 0


@pytest.mark.parametrize("ends_at", [NOON + 30, NOON + 90])
async def test_an_overrun_counts_in_the_minute_that_runs_when_the_call_ends(counters: Counters, ends_at: float) -> None:
    one = draw(tokens=(10, 100))
    await counters.take(one)
    counters.close(one, (85,), now=ends_at)
    await counters.drained()

    assert (await counters.take(draw("two", tokens=(16, 100), at=ends_at))).refused == 0


async def test_a_quota_of_nothing_admits_nothing(counters: Counters) -> None:
    assert (await counters.take(draw(requests=0))).refused == 0
    assert (await counters.take(draw(slots=0))).refused == 0


async def test_memory_is_bounded_by_the_last_minute_and_by_what_runs() -> None:
    counters = MemoryCounters()
    for number in range(1_000):
        key = f"client:{number}"
        each = Draw(str(number), NOON, (Take(f"{key}:requests", 1, 1),), (Take(f"{key}:slots", 1, 1),))
        await counters.take(each)
        counters.close(each, (0,), now=NOON)
    await counters.take(draw(requests=1, slots=0, at=NOON + 60))
    await counters.take(draw(requests=1, at=NOON + 60))

    assert counters._counts == {"client:web:requests": 1}
    assert counters._slots == {}
