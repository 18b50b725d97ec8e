"""Reservations: tokens and money that running calls hold of their budgets, in the database that all replicas share.

    hold ──> (the call runs; sweep prolongs its lease) ──> end: written soon, off the call's path

Calls that begin at the same time share a transaction of the budget writer. A reservation whose process died is booked
at its estimate by the next sweep of any replica. This module knows no HTTP, no rates and no limits.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from secrets import token_hex

from app.clients.budget_writer import BudgetWriter
from app.clients.budgets import bounded
from app.clients.counters import LEASE_S
from app.store.budget_records import Amounts, Budget, Hold, HoldResult, Settlement
from app.store.budgets import BudgetBook


class Reservations:
    """The reservations of one process. `clock` gives seconds since the epoch."""

    def __init__(self, book: BudgetBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._clock = clock
        self._process = token_hex(8)
        self._numbers = count()
        self._live: set[str] = set()
        self._writing = asyncio.Lock()
        self._writer = BudgetWriter(self._write)

    async def _write(self, holds: Sequence[Hold], settlements: Sequence[Settlement]) -> list[HoldResult]:
        async with self._writing:
            return await self._book.write(holds, settlements)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Write while the block runs, and write the rest at its end."""
        return self._writer.running()

    async def hold(self, budgets: tuple[Budget, ...], amounts: Amounts) -> tuple[str, HoldResult]:
        """Hold the amounts of every budget or of none; return the reservation's id, and how the budgets stand.

        Raises StoreUnavailableError. A cancelled caller holds nothing.
        """
        reservation = f"{self._process}-{next(self._numbers):x}"
        self._live.add(reservation)
        writing = self._writer.hold(Hold(reservation, budgets, amounts, self._clock() + LEASE_S))
        try:
            held = await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The hold is on its way to the database, and a settlement that overtakes it would find nothing to end.
            writing.add_done_callback(lambda done: self._abandoned(reservation, done))
            raise
        except BaseException:
            self._live.discard(reservation)
            raise
        if held.refused is not None:
            self._live.discard(reservation)
        return reservation, held

    def _abandoned(self, reservation: str, done: "asyncio.Future[HoldResult]") -> None:
        self._live.discard(reservation)
        if done.exception() is None and done.result().refused is None:
            self.end(reservation, tokens=0, cost=0)

    async def use(self, budgets: tuple[Budget, ...], amounts: Amounts) -> HoldResult:
        """Use the amounts of every budget, or of none, without giving back; raises StoreUnavailableError."""
        return await asyncio.shield(self._writer.hold(Hold(None, budgets, amounts, 0.0)))

    def end(self, reservation: str, *, tokens: int, cost: int) -> None:
        """Book the tokens and money that a call has used, soon; neither waits nor fails. Only the first call counts."""
        self._live.discard(reservation)
        self._writer.settle(Settlement(reservation, bounded(tokens), bounded(cost)))

    def leave(self, reservation: str) -> None:
        """Stop prolonging the lease: a later sweep books the estimate, and `end` can correct that for a week."""
        self._live.discard(reservation)

    async def sweep(self) -> int:
        """Prolong the leases of running calls, then book abandoned reservations; return the number of those."""
        now = self._clock()
        # Not while settlements are written: the two would lock the same rows in different orders.
        async with self._writing:
            await self._book.renew(self._live, lease_until=now + LEASE_S)
        return await self._book.sweep(now=now)

    async def drained(self) -> None:
        """Wait until every hold and settlement is written."""
        await self._writer.drained()
