"""The choice of the counters: in memory for one process, in Redis for several."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.clients.counters import Counters, MemoryCounters, OnOutage


@asynccontextmanager
async def open_counters(redis_url: str | None, on_outage: OnOutage) -> AsyncIterator[Counters]:
    """Count in the Redis at `redis_url`, or in memory without one."""
    if redis_url is None:
        yield MemoryCounters()
        return
    # The client library takes 20 MB and a fifth of a second, which a gateway without Redis is spared.
    from app.clients.outage import open_shared_counters  # noqa: PLC0415  # see above

    async with open_shared_counters(redis_url, on_outage) as counters:
        yield counters
