"""Reservations: what is held in the book that all replicas share, from when it is taken until it is settled.

    begin ──> (calls run; sweep prolongs its lease) ──> end: written soon, off the calls' path

One whose process dies is settled at what it held by whoever sweeps next. It knows no HTTP, no rates and no limits.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from secrets import token_hex

from app.clients.budget_writer import BudgetWriter
from app.clients.budgets import bounded
from app.clients.limits import LEASE_S
from app.store.budget_records import Amounts, Budget, Held, Hold, Settlement
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

    async def _write(self, holds: Sequence[Hold], settlements: Sequence[Settlement]) -> list[Held]:
        async with self._writing:
            return await self._book.write(holds, settlements)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Write while the block runs, and at its end what is left."""
        return self._writer.running()

    def begin(self, budgets: tuple[Budget, ...], amounts: Amounts) -> tuple[str, "asyncio.Future[Held]"]:
        """Have the amounts held of every budget or of none; gives the reservation's id, and what becomes of it.

        The future may fail with StoreUnavailableError; it is not to be cancelled. Whoever gives the reservation up ends
        it all the same, at nothing.
        """
        reservation = f"{self._process}-{next(self._numbers):x}"
        self._live.add(reservation)
        held = self._writer.hold(Hold(reservation, budgets, amounts, self._clock() + LEASE_S))
        held.add_done_callback(lambda done: self._begun(reservation, done))
        return reservation, held

    def _begun(self, reservation: str, done: "asyncio.Future[Held]") -> None:
        if done.cancelled() or done.exception() is not None or done.result().refused is not None:
            self._live.discard(reservation)

    async def use(self, budgets: tuple[Budget, ...], amounts: Amounts) -> Held:
        """Use the amounts of every budget, or of none, for good; raises StoreUnavailableError."""
        return await asyncio.shield(self._writer.hold(Hold(None, budgets, amounts, 0.0)))

    def end(self, reservation: str, *, tokens: int, cost: int) -> None:
        """Book what was really used, soon; it neither waits nor fails, and only the first counts."""
        self._live.discard(reservation)
        self._writer.settle(Settlement(reservation, bounded(tokens), bounded(cost)))

    def leave(self, reservation: str) -> None:
        """Answer for it no more: the next sweep books what it held, and `end` can correct that at any time."""
        self._live.discard(reservation)

    async def sweep(self) -> int:
        """Prolong the leases of what lives here, then book what nobody answers for; gives how many that were."""
        now = self._clock()
        # Not while settlements are written: the two would lock the same rows in different orders.
        async with self._writing:
            await self._book.renew(self._live, lease_until=now + LEASE_S)
        return await self._book.sweep(now=now)

    async def drained(self) -> None:
        """Wait until everything that was said is written."""
        await self._writer.drained()
