"""Work after the answer: deletions and cancellations, owned by the lifespan and awaited at shutdown.

Work that fails or is not reached has a lease in the registry, by which the sweep finds it again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

from app.errors import GatewayError

log = logging.getLogger("gateway.background")
SWEEP_INTERVAL_S = 60.0


class BackgroundTasks:
    """Runs work in the background, with one owner for all of it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` in the background; a failure is logged and left to the sweep."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except GatewayError as error:
            log.warning("background work failed and is left to the sweep: %s", error.code)
        except Exception as error:
            # A defect; its message may contain stored content.
            log.error("background work failed and is left to the sweep: %s", type(error).__name__)  # noqa: TRY400  # no traceback, for the same reason

    async def drain(self, timeout_s: float) -> None:
        """Wait for running work, at most `timeout_s` seconds, then cancel the rest."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _sweep(sweep: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await sweep()
        except GatewayError as error:
            log.warning("the sweep stopped early: %s", error.code)
        except Exception as error:
            # A defect must not end the sweeping for good. Its message may contain stored content.
            log.error("the sweep failed: %s", type(error).__name__)  # noqa: TRY400  # no traceback, for the same reason
        await asyncio.sleep(SWEEP_INTERVAL_S)


def when_agreed(
    moment: Callable[[], float | None], forget: Callable[[float], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    """Return a sweep that drops old rows by a time that the clocks agree on, and no rows while they differ."""

    async def sweep() -> None:
        now = moment()
        if now is not None:
            await forget(now)

    return sweep


@asynccontextmanager
async def sweeping(sweep: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run `sweep` every minute while the block runs."""
    task = asyncio.create_task(_sweep(sweep))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
