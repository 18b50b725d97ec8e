"""Writes holds and settlements of budgets: those of the same moment share a transaction.

hold ───┐                          a caller waits for its hold, so that it is written at once; under load a moment
        ├──> one batch ──> book    later, with others
settle ─┘                          nobody waits for a settlement: it goes with the next hold, or soon without one
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
    """A task that writes. Settlements outlast an outage of the database; holds fail with it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._holds: list[_Waiting] = []
        self._settlements: list[Settlement] = []
        self._has_work = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def hold(self, hold: Hold) -> "asyncio.Future[HoldResult]":
        """Queue a hold; the future has its result, or fails with StoreUnavailableError.

        A hold whose future is cancelled is given back.
        """
        done: asyncio.Future[HoldResult] = asyncio.get_running_loop().create_future()
        self._holds.append((hold, done))
        self._is_urgent.set()
        self._wake()
        return done

    def settle(self, settlement: Settlement) -> None:
        """Queue a settlement; neither waits nor fails."""
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
            holds = [(hold, done) for hold, done in self._holds[:BATCH] if not done.cancelled()]
            del self._holds[:BATCH]
            settlements = self._settlements[:BATCH]
            is_written = await self._write_batch(holds, settlements)
            if is_written:
                del self._settlements[: len(settlements)]
            # Several holds at once, or more that came meanwhile: the next batch gathers.
            is_busy = len(holds) > 1 or bool(self._holds)
            if self._holds:
                self._is_urgent.set()
            elif not self._settlements:
                self._has_work.clear()
                self._is_idle.set()
            elif not is_written:
                await self._linger(RETRY_S)

    async def _linger(self, seconds: float) -> None:
        # A hold ends the wait.
        try:
            async with asyncio.timeout(seconds):
                await self._is_urgent.wait()
        except TimeoutError:
            pass

    async def _write_batch(self, holds: Sequence[_Waiting], settlements: Sequence[Settlement]) -> bool:
        if not holds and not settlements:
            return True
        try:
            results = await self._write([hold for hold, _ in holds], settlements)
        except GatewayError as error:
            self._fail(holds, error)
            return False
        except Exception as error:
            if len(holds) > 1 or (holds and settlements):
                return await self._write_apart(holds, settlements)
            # A defect must not end the task. Its message may hold stored values. Reservations that were not settled are
            # booked at their estimates when their leases end.
            log.error("not written: %s", type(error).__name__)  # noqa: TRY400  # no traceback, for the same reason
            self._fail(holds, error)
            return True
        for (hold, done), result in zip(holds, results, strict=True):
            if not done.cancelled():
                done.set_result(result)
            elif result.refused is None:
                self._give_back(hold)
        return True

    def _give_back(self, hold: Hold) -> None:
        if hold.id is not None:
            self.settle(Settlement(hold.id, tokens=0, cost=0))

    async def _write_apart(self, holds: Sequence[_Waiting], settlements: Sequence[Settlement]) -> bool:
        # One hold or settlement is at fault, and the others must not fail with it.
        is_settled = await self._write_batch([], settlements)
        for each in holds:
            await self._write_batch([each], [])
        return is_settled

    def _fail(self, holds: Sequence[_Waiting], error: Exception) -> None:
        for hold, done in holds:
            # The database may have taken the hold before it failed. Beyond UNSURE_AT_MOST such holds are booked at
            # their estimates when their leases end.
            if len(self._settlements) < UNSURE_AT_MOST:
                self._give_back(hold)
            if not done.cancelled():
                done.set_exception(error)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block runs, and the rest at its end, for at most LINGER_S."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await finish(task, self.drained())
