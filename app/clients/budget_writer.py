"""Writes holds and settlements of budgets: what comes at the same time goes into one transaction.

hold ───┐                          a hold is waited for, so it is written at once; under load a moment later,
        ├──> one batch ──> book    so that others come along
settle ─┘                          a settlement is not, so it waits for a hold to go with, but not for long
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from app.clients.backlog import finish
from app.errors import GatewayError
from app.store.budget_records import Hold, HoldResult, Settlement

log = logging.getLogger("gateway.budgets")
SETTLE_WITHIN_S = 0.3
GATHER_S = 0.008
RETRY_S = 1.0
BATCH = 250
UNSURE_AT_MOST = 10_000

Write = Callable[[Sequence[Hold], Sequence[Settlement]], Awaitable[list[HoldResult]]]
_Waiting = tuple[Hold, "asyncio.Future[HoldResult]"]


class BudgetWriter:
    """One task that writes. Settlements outlive an outage of the database; holds fail with it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._holds: list[_Waiting] = []
        self._settlements: list[Settlement] = []
        self._has_work = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def hold(self, hold: Hold) -> "asyncio.Future[HoldResult]":
        """Have a hold taken; what is given tells what became of it, or fails with StoreUnavailableError.

        It is not to be cancelled: whoever has no use for a hold any more settles it at nothing.
        """
        done: asyncio.Future[HoldResult] = asyncio.get_running_loop().create_future()
        self._holds.append((hold, done))
        self._is_urgent.set()
        self._wake()
        return done

    def settle(self, settlement: Settlement) -> None:
        """Have a settlement written soon; it neither waits nor fails."""
        self._settlements.append(settlement)
        self._wake()

    def _wake(self) -> None:
        self._has_work.set()
        self._is_idle.clear()

    async def drained(self) -> None:
        """Wait until every hold and settlement is written; settlements do not wait for more to come."""
        while True:
            while not self._is_idle.is_set():
                self._is_urgent.set()
                await self._is_idle.wait()
            # The callback of a written hold, which may settle an abandoned hold, runs one turn of the loop later.
            await asyncio.sleep(0)
            if self._is_idle.is_set():
                return

    async def _run(self) -> None:
        is_busy = False
        while True:
            await self._has_work.wait()
            if not self._is_urgent.is_set():
                await self._linger(SETTLE_WITHIN_S)
            elif is_busy:
                await asyncio.sleep(GATHER_S)
            self._is_urgent.clear()
            holds = self._holds[:BATCH]
            del self._holds[:BATCH]
            settlements = self._settlements[:BATCH]
            is_written = await self._write_batch(holds, settlements)
            if is_written:
                del self._settlements[: len(settlements)]
            # Others came while this was written, or with it.
            is_busy = len(holds) > 1 or bool(self._holds)
            if self._holds:
                self._is_urgent.set()
            elif not self._settlements:
                self._has_work.clear()
                self._is_idle.set()
            elif not is_written:
                await self._linger(RETRY_S)

    async def _linger(self, seconds: float) -> None:
        # A hold that comes is not kept waiting.
        try:
            async with asyncio.timeout(seconds):
                await self._is_urgent.wait()
        except TimeoutError:
            pass

    async def _write_batch(self, holds: Sequence[_Waiting], settlements: Sequence[Settlement]) -> bool:
        try:
            outcomes = await self._write([hold for hold, _ in holds], settlements)
        except GatewayError as error:
            self._fail(holds, error)
            return False
        except Exception as error:
            if len(holds) > 1 or (holds and settlements):
                return await self._write_apart(holds, settlements)
            # A defect must not end the writing for good. Its message may hold what was stored. What was not settled is
            # booked at its estimate when its lease ends.
            log.error("not written: %s", type(error).__name__)  # noqa: TRY400  # no traceback, for the same reason
            self._fail(holds, error)
            return True
        for (_, done), held in zip(holds, outcomes, strict=True):
            done.set_result(held)
        return True

    async def _write_apart(self, holds: Sequence[_Waiting], settlements: Sequence[Settlement]) -> bool:
        # One of them is at fault: the others must not pay for it.
        is_settled = await self._write_batch([], settlements)
        for each in holds:
            await self._write_batch([each], [])
        return is_settled

    def _fail(self, holds: Sequence[_Waiting], error: Exception) -> None:
        for hold, done in holds:
            # It may have been written all the same.
            # Beyond that many, it is booked whole when its lease ends.
            if hold.id is not None and len(self._settlements) < UNSURE_AT_MOST:
                self.settle(Settlement(hold.id, tokens=0, cost=0))
            done.set_exception(error)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block runs, and at its end what is left, for a while."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await finish(task, self.drained())
