from collections.abc import AsyncIterator

import pytest

from app.clients.counter_choice import open_counters
from app.clients.counters import LEASE_S, Counter, CounterRequest, Counters, MemoryCounters
from tests.servers import ValkeyServer
from tests.unit.clients.clock import NOON


@pytest.fixture
async def counters(redis_url: str | None) -> AsyncIterator[Counters]:
    async with open_counters(redis_url, "refuse") as counters:
        yield counters


@pytest.fixture
async def shared(valkey: ValkeyServer) -> AsyncIterator[list[Counters]]:
    """The counters of two replicas."""
    async with open_counters(valkey.url, "refuse") as one, open_counters(valkey.url, "refuse") as two:
        yield [one, two]


def request_of(
    number: int = 0,
    *,
    at: float = NOON,
    amount: int = 1,
    requests: int | None = None,
    tokens: int | None = None,
    slots: int | None = None,
) -> CounterRequest:
    """A request of the counters that have a quota here."""
    windows: tuple[Counter, ...] = () if requests is None else (Counter("client:web:requests", requests),)
    windows += () if tokens is None else (Counter("client:web:tokens", tokens),)
    return CounterRequest(number, at, amount, windows, () if slots is None else (Counter("client:web:slots", slots),))


async def test_a_minute_admits_as_many_as_its_quota_and_the_next_one_as_many_again(counters: Counters) -> None:
    first = [(await counters.take(request_of(requests=3, at=NOON + second))).refused for second in (0, 10, 20, 59)]
    second = [(await counters.take(request_of(requests=3, at=NOON + second))).refused for second in (60, 61, 62, 63)]

    assert first == [None, None, None, 0]
    assert second == [None, None, None, 0]


async def test_rate_headers_show_the_state_after_the_call(counters: Counters) -> None:
    each = {"amount": 40, "requests": 90, "tokens": 100, "slots": 5}
    taken = [await counters.take(request_of(number, **each)) for number in range(3)]

    assert [list(each.used) for each in taken] == [[40, 40, 1], [80, 80, 2], [80, 80, 2]]
    assert [each.refused for each in taken] == [None, None, 0]


async def test_a_call_that_one_limit_refuses_takes_nothing_of_the_others(counters: Counters) -> None:
    refused = await counters.take(request_of(1, amount=101, requests=200, tokens=100, slots=1))
    admitted = await counters.take(request_of(2, amount=100, requests=200, tokens=100, slots=1))
    no_slot = await counters.take(request_of(3, amount=1, requests=200, slots=1))

    assert refused.refused == 1
    assert (list(admitted.used), admitted.refused) == ([100, 100, 1], None)
    assert (list(no_slot.used), no_slot.refused) == ([100, 1], 1)


async def test_a_slot_is_taken_again_when_it_was_given_back(counters: Counters) -> None:
    one = request_of(1, slots=1)
    await counters.take(one)
    refused = await counters.take(request_of(2, slots=1))
    counters.close(one, 0, now=NOON)

    assert refused.refused == 0
    assert (await counters.take(request_of(2, slots=1))).refused is None


async def test_a_slot_of_a_replica_that_died_is_free_when_its_lease_ends(shared: list[Counters]) -> None:
    dead, alive = shared
    await dead.take(request_of(slots=1))

    assert (await alive.take(request_of(slots=1, at=NOON + LEASE_S - 1))).refused == 0
    assert (await alive.take(request_of(slots=1, at=NOON + LEASE_S))).refused is None


async def test_a_call_that_still_runs_keeps_its_slot_beyond_its_first_lease(shared: list[Counters]) -> None:
    one, two = shared
    await one.take(request_of(slots=1))
    await one.renew(now=NOON + 100)

    assert (await two.take(request_of(slots=1, at=NOON + LEASE_S))).refused == 0
    assert (await two.take(request_of(slots=1, at=NOON + LEASE_S + 100))).refused is None


async def test_a_slot_that_was_given_back_is_not_prolonged(shared: list[Counters]) -> None:
    one, two = shared
    given_back = request_of(slots=1)
    await one.take(given_back)
    one.close(given_back, 0, now=NOON)
    await one.drained()
    await one.renew(now=NOON)

    assert (await two.take(request_of(slots=1))).refused is None


async def test_tokens_that_were_not_used_are_free_again_in_the_same_minute(counters: Counters) -> None:
    one = request_of(amount=90, tokens=100)
    await counters.take(one)
    counters.close(one, -80, now=NOON + 59)
    await counters.drained()

    assert list((await counters.take(request_of(amount=90, tokens=100))).used) == [100]


async def test_tokens_that_were_not_used_are_not_a_gift_to_another_minute(counters: Counters) -> None:
    one = request_of(amount=90, tokens=100)
    await counters.take(one)
    await counters.take(request_of(2, amount=50, tokens=100, at=NOON + 60))
    counters.close(one, -80, now=NOON + 61)
    await counters.drained()

    assert (await counters.take(request_of(3, amount=51, tokens=100, at=NOON + 62))).refused == 0


@pytest.mark.parametrize("ends_at", [NOON + 30, NOON + 90])
async def test_an_overrun_counts_in_the_minute_that_runs_when_the_call_ends(counters: Counters, ends_at: float) -> None:
    one = request_of(amount=10, tokens=100)
    await counters.take(one)
    counters.close(one, 85, now=ends_at)
    await counters.drained()

    assert (await counters.take(request_of(2, amount=16, tokens=100, at=ends_at))).refused == 0


async def test_a_quota_of_nothing_admits_nothing(counters: Counters) -> None:
    assert (await counters.take(request_of(requests=0))).refused == 0
    assert (await counters.take(request_of(slots=0))).refused == 0


async def test_counter_memory_is_bounded_by_the_last_minute_and_running_calls() -> None:
    counters = MemoryCounters()
    for number in range(1_000):
        key = f"client:{number}"
        each = CounterRequest(number, NOON, 1, (Counter(f"{key}:requests", 1),), (Counter(f"{key}:slots", 1),))
        await counters.take(each)
        counters.close(each, 0, now=NOON)
    await counters.take(request_of(requests=1, slots=0, at=NOON + 60))
    await counters.take(request_of(requests=1, at=NOON + 60))

    assert counters._counts == {"client:web:requests": 1}
    assert counters._slots == {}
