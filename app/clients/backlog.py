"""Deferred writes, off the call's path: one task writes all waiting items together, in their order of arrival."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

log = logging.getLogger("gateway.backlog")
LINGER_S = 10.0
BATCH = 500

T = TypeVar("T")


class Backlog(Generic[T]):
    """Items that wait to be written. Each is passed to `write` once, and not again if that fails."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._write = write
        self._items: list[T] = []
        self._has_items = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def add(self, item: T) -> None:
        """Add an item to be written, without waiting."""
        self._items.append(item)
        self._has_items.set()
        self._is_idle.clear()

    async def drained(self) -> None:
        """Wait until all items have been written."""
        await self._is_idle.wait()

    async def _run(self) -> None:
        while True:
            await self._has_items.wait()
            batch = self._items[:BATCH]
            try:
                await self._write(batch)
            except Exception as error:
                # A defect must not end the writing for good. Its message may hold stored data, so only its type is
                # logged.
                log.error("not written: %s", type(error).__name__)  # noqa: TRY400  # no traceback, for the same reason
            del self._items[: len(batch)]
            if not self._items:
                self._has_items.clear()
                self._is_idle.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block runs, and write the remaining items at its end, for at most LINGER_S."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await finish(task, self.drained())


async def finish(task: asyncio.Task[None], drained: Awaitable[None]) -> None:
    """End a writing task once all items are written, or after LINGER_S."""
    try:
        async with asyncio.timeout(LINGER_S):
            await drained
    except TimeoutError:
        log.warning("some rows were not written")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
