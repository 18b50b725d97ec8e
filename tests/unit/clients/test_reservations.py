"""Each call holds for itself, and calls that begin at the same time share a transaction."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

import pytest

from app.clients.counters import LEASE_S
from app.clients.reservations import DEFERRED_LEASE_S, Reservations
from app.store.budget_records import Amounts, Budget, BudgetState, Hold, HoldResult, Settlement
from app.store.budgets import BudgetBook
from app.store.database import Database
from tests.unit.clients.clock import NOON, Clock

DAY = "2025-11-25"
MIDNIGHT = NOON + 12 * 3600
ONE = Amounts(tokens=100, cost=7)


def budget(tokens: int) -> Budget:
    return Budget("client:web", DAY, MIDNIGHT - 86_400, MIDNIGHT, tokens)


class CountingBook(BudgetBook):
    """Counts the transactions."""

    transactions = 0

    async def write(self, holds: Sequence[Hold], settlements: Collection[Settlement]) -> list[HoldResult]:
        self.transactions += 1
        return await super().write(holds, settlements)


@pytest.fixture
def book(database: Database) -> CountingBook:
    return CountingBook(database)


@pytest.fixture
async def reservations(book: CountingBook, clock: Clock) -> AsyncIterator[Reservations]:
    reservations = Reservations(book, clock)
    async with reservations.running():
        yield reservations


async def state_of(reservations: Reservations, book: CountingBook) -> BudgetState:
    await reservations.drained()
    return await book.state("client:web", DAY)


async def test_concurrent_calls_hold_exactly_their_own_amounts_in_a_shared_transaction(
    reservations: Reservations, book: CountingBook
) -> None:
    held = await asyncio.gather(*(reservations.hold((budget(10_000),), ONE) for _ in range(40)))

    assert len({reservation for reservation, _ in held}) == 40
    assert book.transactions <= 2
    assert await state_of(reservations, book) == BudgetState(Amounts(), Amounts(4_000, 280))


async def test_concurrent_calls_use_a_budget_to_its_end_and_never_beyond(
    reservations: Reservations, book: CountingBook
) -> None:
    held = await asyncio.gather(*(reservations.hold((budget(1_050),), ONE) for _ in range(40)))

    assert sum(result.refused is None for _, result in held) == 10
    assert (await state_of(reservations, book)).reserved == Amounts(1_000, 70)


async def test_a_hold_that_is_cancelled_while_its_transaction_runs_is_given_back(
    reservations: Reservations, book: CountingBook
) -> None:
    holding = asyncio.ensure_future(reservations.hold((budget(1_000),), ONE))
    await asyncio.sleep(0)
    holding.cancel()

    await asyncio.wait((holding,))
    assert holding.cancelled()
    assert await state_of(reservations, book) == BudgetState()


async def test_a_reservation_is_ended_once(reservations: Reservations, book: CountingBook) -> None:
    reservation, _ = await reservations.hold((budget(1_000),), ONE)
    reservations.end(reservation, Amounts(40, 3))
    reservations.end(reservation, Amounts(90, 9))

    assert await state_of(reservations, book) == BudgetState(Amounts(40, 3), Amounts())


async def test_a_deferred_reservation_keeps_its_amounts_reserved_for_days_without_its_process(
    reservations: Reservations, book: CountingBook, clock: Clock
) -> None:
    deferred, _ = await reservations.hold((budget(1_000),), ONE, may_be_deferred=True)
    clock.now += LEASE_S + 1
    booked = await reservations.sweep()

    assert booked == 0
    assert await state_of(reservations, book) == BudgetState(Amounts(), ONE)
    assert await reservations.held(deferred) == ONE
    clock.now += DEFERRED_LEASE_S
    assert await reservations.sweep() == 1
    assert await state_of(reservations, book) == BudgetState(ONE, Amounts())
    reservations.end(deferred, Amounts(5, 1))
    assert await state_of(reservations, book) == BudgetState(Amounts(5, 1), Amounts())
    assert await reservations.held(deferred) is None
