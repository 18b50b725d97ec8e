import asyncio
from collections.abc import AsyncIterator

import pytest

from app.clients import purses
from app.clients.purses import MANY, SHARE, Allotment, Purse, Purses
from app.clients.reservations import Reservations
from app.errors import StoreUnavailableError
from app.store.budget_records import Amounts, Budget, Held, Standing
from app.store.budgets import BudgetBook
from app.store.database import Database, open_database
from tests.servers import PostgresServer
from tests.unit.clients.clock import NOON, Clock

DAY = "2025-11-25"
MIDNIGHT = NOON + 12 * 3600
ONE = Amounts(tokens=100, cost=7)
PLENTY = 100_000


def budget(tokens: int | None = None, *, cost: int | None = None) -> Budget:
    return Budget("client:web", DAY, MIDNIGHT - 86_400, MIDNIGHT, tokens, cost)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def opened(database: Database, clock: Clock) -> AsyncIterator[Purses]:
    opened = Purses(Reservations(BudgetBook(database), clock))
    async with opened.running():
        yield opened


@pytest.fixture(autouse=True)
def open_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # A test that is slow must not see what it looks at closed.
    monkeypatch.setattr(purses, "OPEN_S", 60.0)


async def begin(purse: Purse, amounts: Amounts = ONE) -> Allotment | Held:
    return purse.draw(amounts.tokens, amounts.cost) or await purse.reserve(amounts)


async def run(purse: Purse, calls: int, amounts: Amounts = ONE) -> list[Allotment]:
    """Let so many calls begin at once; all are admitted."""
    begun = await asyncio.gather(*(begin(purse, amounts) for _ in range(calls)))
    return [each for each in begun if isinstance(each, Allotment)]


async def standing(database: Database, opened: Purses) -> Standing:
    await opened.reservations.drained()
    return await BudgetBook(database).standing("client:web", DAY)


async def busy(opened: Purses, limit: Budget) -> tuple[Purse, list[Allotment]]:
    """A purse of which many calls have drawn, each alone, so that the next ones share."""
    purse = opened.of((limit,))
    return purse, await run(purse, MANY)


async def test_few_calls_reserve_exactly_what_they_may_use(opened: Purses, database: Database) -> None:
    purse = opened.of((budget(PLENTY),))
    for _ in range(10):
        (call,) = await run(purse, 1)
        call.settle(40, 3)
    (running,) = await run(purse, 1)

    assert await standing(database, opened) == Standing(Amounts(400, 30), ONE)
    assert (running.tokens_free, running.cost_free) == (0, 0)


async def test_of_many_calls_the_next_ones_are_admitted_without_the_database(
    opened: Purses, database: Database
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    together = await run(purse, 3)
    drawn = [purse.draw(*ONE[:2]) for _ in range(3)]

    assert len({call.id for call in alone}) == MANY
    assert len({call.id for call in together}) == 1
    assert drawn == together
    assert await standing(database, opened) == Standing(Amounts(), Amounts(100 * (MANY + 6), 7 * (MANY + 6)))
    assert purse.draw(*ONE[:2]) is None


async def test_an_allotment_is_settled_to_what_its_calls_used_when_the_last_has_ended(
    opened: Purses, database: Database
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    together = await run(purse, 3)
    for call in (*alone, *together[1:]):
        call.settle(10, 1)
    opened.close()
    before = await standing(database, opened)
    together[0].settle(10, 1)

    assert before == Standing(Amounts(10 * MANY, MANY), Amounts(600, 42))
    assert await standing(database, opened) == Standing(Amounts(10 * (MANY + 3), MANY + 3), Amounts())


async def test_what_is_spare_is_given_back_soon(
    opened: Purses, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    monkeypatch.setattr(purses, "OPEN_S", 0.01)
    for call in (*alone, *await run(purse, 3)):
        call.settle(10, 1)
    while not purse.is_idle:  # noqa: ASYNC110  # nothing tells of it but the purse itself
        await asyncio.sleep(0.005)

    assert await standing(database, opened) == Standing(Amounts(10 * (MANY + 3), MANY + 3), Amounts())


async def test_the_more_calls_come_the_more_is_spare_and_never_more_than_a_share_of_the_room(
    opened: Purses, database: Database
) -> None:
    purse, _ = await busy(opened, budget(100 * 20 * SHARE))
    sizes = []
    for _ in range(5):
        before = await standing(database, opened)
        await run(purse, 2)
        while purse.draw(*ONE[:2]) is not None:
            pass
        sizes.append((await standing(database, opened)).reserved.tokens - before.reserved.tokens)

    assert sizes[0] == 400
    assert sizes[1] > sizes[0]
    assert max(sizes) <= 100 * 20


@pytest.mark.parametrize("limit", [budget(950), budget(cost=70), budget(950, cost=70)], ids=["tokens", "cost", "both"])
async def test_near_a_limit_every_call_reserves_alone_and_exactly_as_many_are_admitted_as_fit(
    opened: Purses, limit: Budget
) -> None:
    purse = opened.of((limit,))
    begun = await asyncio.gather(*(begin(purse) for _ in range(20)))
    refused = [each for each in begun if isinstance(each, Held)]

    assert len({each.id for each in begun if isinstance(each, Allotment)}) == 20 - len(refused)
    assert len(refused) == (11 if limit.cost is None else 10 if limit.tokens is None else 11)
    assert {each.refused for each in refused} == {limit}


async def test_where_a_few_calls_last_long_nothing_more_is_shared_until_they_end(
    opened: Purses, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    monkeypatch.setattr(purses, "PATIENCE_S", 0)
    first = await run(purse, 12)
    for call in first[1:]:
        call.settle(10, 1)
    opened.close()
    meanwhile = await run(purse, 3)
    first[0].settle(10, 1)
    afterwards = await run(purse, 3)

    assert len({call.id for call in meanwhile}) == 3
    assert len({call.id for call in afterwards}) == 1
    for call in (*alone, *meanwhile, *afterwards):
        call.settle(0, 0)
    opened.close()
    assert await standing(database, opened) == Standing(Amounts(120, 12), Amounts())


async def test_calls_that_still_run_for_a_moment_are_no_reason_to_share_less(opened: Purses) -> None:
    purse, _ = await busy(opened, budget(PLENTY))
    first = await run(purse, 12)
    for call in first[1:]:
        call.settle(10, 1)
    opened.close()

    assert len({call.id for call in await run(purse, 3)}) == 1


async def test_what_was_drawn_of_the_last_allotment_tells_how_much_the_next_one_has_to_spare(
    opened: Purses, database: Database
) -> None:
    purse, _ = await busy(opened, budget(100 * 1_000 * SHARE))
    sizes = []
    for _ in range(4):
        before = await standing(database, opened)
        await run(purse, 2)
        while purse.draw(*ONE[:2]) is not None:
            pass
        sizes.append((await standing(database, opened)).reserved.tokens - before.reserved.tokens)
        opened.close()

    assert sizes[0] == 400
    assert sizes == sorted(set(sizes))


async def test_where_calls_go_on_coming_the_next_allotment_is_there_before_the_last_one_is_over(
    opened: Purses, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse, _ = await busy(opened, budget(PLENTY))
    monkeypatch.setattr(purses, "RENEW_AT", 0)
    (first, *_) = await run(purse, 3)
    while (later := purse.draw(*ONE[:2])) is first:  # noqa: ASYNC110  # nothing tells of it but the purse itself
        await asyncio.sleep(0.001)

    assert later is not None
    assert later.id != first.id


async def test_what_is_being_renewed_at_the_end_of_all_is_given_back(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Purses(Reservations(BudgetBook(database), clock))
    async with opened.running():
        purse, alone = await busy(opened, budget(PLENTY))
        monkeypatch.setattr(purses, "RENEW_AT", 0)
        shared = await run(purse, 3)
        # Here it is asked for.
        await asyncio.sleep(0)
        for call in (*alone, *shared):
            call.settle(10, 1)

    assert await BudgetBook(database).standing("client:web", DAY) == Standing(Amounts(10 * 7, 7), Amounts())


async def test_where_there_is_no_room_left_nothing_is_renewed(opened: Purses, database: Database, clock: Clock) -> None:
    limit = budget(PLENTY)
    purse, _ = await busy(opened, limit)
    (first, *_) = await run(purse, 3)
    other = Reservations(BudgetBook(database), clock)
    async with other.running():
        held = (await standing(database, opened)).reserved.tokens
        await other.begin((limit,), Amounts(PLENTY - held))[1]
    # More than is free: it is asked for, and refused.
    refused = await begin(purse, Amounts(first.tokens_free + 1))
    purse._renew()
    await opened.reservations.drained()

    assert isinstance(refused, Held)
    assert purse.draw(*ONE[:2]) is first


async def test_what_nobody_draws_from_is_not_renewed(
    opened: Purses, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    monkeypatch.setattr(purses, "OPEN_S", 0.01)
    shared = await run(purse, 3)
    # Time enough for a dozen of them.
    await asyncio.sleep(0.3)

    held = 100 * (len(alone) + 2 * len(shared))
    assert (await standing(database, opened)).reserved.tokens == held


async def test_what_another_replica_has_used_up_meanwhile_is_not_shared_out(
    opened: Purses, database: Database, clock: Clock
) -> None:
    limit = budget(PLENTY)
    purse, _ = await busy(opened, limit)
    other = Reservations(BudgetBook(database), clock)
    async with other.running():
        await other.begin((limit,), Amounts(PLENTY - 100 * MANY - 150))[1]
    begun = await asyncio.gather(*(begin(purse) for _ in range(5)))

    assert [isinstance(each, Allotment) for each in begun] == [True, False, False, False, False]


async def test_a_call_that_is_given_up_while_it_waits_leaves_nothing_behind(opened: Purses, database: Database) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    waiting = [asyncio.ensure_future(begin(purse)) for _ in range(4)]
    for turn, each in enumerate(waiting):
        await asyncio.sleep(0)
        if turn % 2:
            each.cancel()
    left = [each for each in await asyncio.gather(*waiting, return_exceptions=True) if isinstance(each, Allotment)]
    for call in (*alone, *left):
        call.settle(0, 0)
    opened.close()

    assert await standing(database, opened) == Standing()
    assert purse.is_idle


async def test_a_lone_call_that_is_given_up_when_it_has_just_been_admitted_holds_nothing(
    opened: Purses, database: Database
) -> None:
    purse = opened.of((budget(PLENTY),))
    for turns in range(12):
        call = asyncio.ensure_future(begin(purse))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        call.cancel()
        (ended,) = await asyncio.gather(call, return_exceptions=True)
        if isinstance(ended, Allotment):
            ended.settle(0, 0)

    assert await standing(database, opened) == Standing()


async def test_a_deferrable_call_has_a_reservation_of_its_own_that_stays_when_it_is_left(
    opened: Purses, database: Database
) -> None:
    purse, alone = await busy(opened, budget(PLENTY))
    shared = await run(purse, 1)
    deferred = await purse.reserve(ONE, is_alone=True)
    assert isinstance(deferred, Allotment)
    deferred.leave()
    for call in (*alone, *shared):
        call.settle(0, 0)
    opened.close()
    left = await standing(database, opened)
    opened.reservations.end(deferred.id, tokens=30, cost=2)

    assert left == Standing(Amounts(), ONE)
    assert await standing(database, opened) == Standing(Amounts(30, 2), Amounts())
    assert purse.is_idle


async def test_while_the_database_is_away_all_that_wait_are_told_and_it_goes_on_afterwards(
    postgres: PostgresServer, clock: Clock
) -> None:
    async with open_database(postgres.new_database()) as database:
        opened = Purses(Reservations(BudgetBook(database), clock))
        async with opened.running():
            purse, _ = await busy(opened, budget(PLENTY))
            postgres.stop()
            try:
                ended = await asyncio.gather(*(begin(purse) for _ in range(5)), return_exceptions=True)
            finally:
                postgres.start()

            assert {type(each) for each in ended} == {StoreUnavailableError}
            assert len(await run(purse, 5)) == 5


async def test_what_a_dead_process_had_reserved_for_several_is_booked_whole(
    opened: Purses, database: Database, clock: Clock
) -> None:
    await busy(opened, budget(PLENTY))
    await run(opened.of((budget(PLENTY),)), 3)
    held = (await standing(database, opened)).reserved
    clock.now += 181
    survivor = Reservations(BudgetBook(database), clock)

    assert await survivor.sweep() == MANY + 1
    assert await standing(database, opened) == Standing(held, Amounts())
