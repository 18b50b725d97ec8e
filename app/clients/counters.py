"""Opens what counts rates and concurrency: this process's memory, or a Redis that replicas share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.clients.limits import Counters, MemoryCounters, OnOutage


@asynccontextmanager
async def open_counters(redis_url: str | None, on_outage: OnOutage) -> AsyncIterator[Counters]:
    """Count in the Redis at `redis_url`, or in memory when there is none."""
    if redis_url is None:
        yield MemoryCounters()
        return
    # Its client library weighs 20 MB and a fifth of a second, which whoever does without Redis is spared.
    from app.clients.outage import open_shared_counters  # noqa: PLC0415  # see above

    async with open_shared_counters(redis_url, on_outage) as counters:
        yield counters
