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
from app.store.budget_records import NO_AMOUNTS, Amounts, Budget, Hold, HoldResult, Settlement
from app.store.budgets import BudgetBook

DEFERRED_LEASE_S = 8 * 86_400.0
"""The time for a deferred call to show its usage: Gemini's batches and background calls end within days."""


class Reservations:
    """The reservations of one process. `clock` returns seconds since the epoch."""

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

    async def hold(
        self, budgets: tuple[Budget, ...], amounts: Amounts, *, may_be_deferred: bool = False
    ) -> tuple[str, HoldResult]:
        """Hold the amounts of every budget or of none; return the reservation's id, and the budgets' states.

        Raises StoreUnavailableError. A cancelled caller holds nothing. A reservation that may be deferred has a lease
        of DEFERRED_LEASE_S, whatever becomes of this process.
        """
        reservation = f"{self._process}-{next(self._numbers):x}"
        if not may_be_deferred:
            self._live.add(reservation)
        lease_s = DEFERRED_LEASE_S if may_be_deferred else LEASE_S
        writing = self._writer.hold(Hold(reservation, budgets, amounts, self._clock() + lease_s))
        try:
            held = await writing
        except asyncio.CancelledError:
            self._live.discard(reservation)
            if not writing.cancelled():
                # The hold was written a moment before; the writer gives back a hold that is cancelled earlier.
                self.end(reservation, NO_AMOUNTS)
            raise
        except BaseException:
            self._live.discard(reservation)
            raise
        if held.refused is not None:
            self._live.discard(reservation)
        return reservation, held

    async def use(self, budgets: tuple[Budget, ...], amounts: Amounts) -> HoldResult:
        """Use the amounts of every budget, or of none, without giving back; raises StoreUnavailableError."""
        return await self._writer.hold(Hold(None, budgets, amounts, 0.0))

    def end(self, reservation: str, amounts: Amounts) -> None:
        """Book the amounts that a call has used, soon; neither waits nor fails, and only the first call counts."""
        self._live.discard(reservation)
        self._writer.settle(Settlement(reservation, bounded(amounts.tokens), bounded(amounts.cost)))

    async def held(self, reservation: str) -> Amounts | None:
        """Return the amounts that a reservation holds, None if it is settled; raises StoreUnavailableError."""
        return await self._book.held(reservation)

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
