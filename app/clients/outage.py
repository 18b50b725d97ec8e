"""Counting in Redis with an answer for when it is away: count here, refuse, or let all through.

A server that failed is not asked again for RETRY_S, so that an outage costs one call a second its wait and the others
nothing. It is said once when it goes and once when it comes back. What was counted here meanwhile stays here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.clients.backlog import Backlog
from app.clients.limits import Draw, MemoryCounters, OnOutage, Taken
from app.clients.redis_counters import RedisCounters
from app.errors import StoreUnavailableError

log = logging.getLogger("gateway.limits")
TIMEOUT_S = 1.0
RETRY_S = 1.0
FAILURES = (RedisError, OSError, TimeoutError)


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    """Run a block that asks Redis, for at most TIMEOUT_S; a cancellation that its client takes for itself is kept.

    While it connects, redis-py may swallow one: whoever was to end would go on.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("Redis is asked only inside a task")
    before = task.cancelling()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield
    except FAILURES:
        if task.cancelling() <= before:
            raise
    if task.cancelling() > before:
        raise asyncio.CancelledError


class SharedCounters:
    """Redis' counters while they answer, and what `on_outage` says while they do not."""

    def __init__(self, shared: RedisCounters, on_outage: OnOutage) -> None:
        self._shared = shared
        self._on_outage = on_outage
        self._local = MemoryCounters()
        self._taken_here: set[int] = set()
        self._inside: dict[int, Draw] = {}
        self._retry_at: float | None = None
        self.closing: Backlog[tuple[Draw, int, float]] = Backlog(self._close)

    @property
    def state(self) -> str:
        """Say how it is: `ok`, or `away`."""
        return "ok" if self._retry_at is None else "away"

    def _is_away(self, now: float) -> bool:
        return self._retry_at is not None and now < self._retry_at

    def _went(self, now: float, error: Exception) -> None:
        if self._retry_at is None:
            log.warning("Redis is away (%s); LIMITS_ON_OUTAGE=%s", type(error).__name__, self._on_outage)
        self._retry_at = now + RETRY_S

    def _answered(self) -> None:
        if self._retry_at is not None:
            log.warning("Redis is back")
        self._retry_at = None

    def take_at_once(self, draw: Draw) -> None:
        """Take nothing: Redis is waited for."""

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it; raises StoreUnavailableError when an outage is to refuse calls."""
        now = draw.taken_at
        if self._is_away(now):
            return await self._take_without(draw)
        if self._retry_at is not None:
            # One call finds out; the others go on without until it has.
            self._retry_at = now + RETRY_S
        if draw.slots:
            # What ended here a moment ago must not be in the way of what follows it.
            await self.closing.drained()
        try:
            async with _asking():
                taken = await self._shared.take(draw)
        except FAILURES as error:
            self._went(now, error)
            return await self._take_without(draw)
        self._answered()
        if draw.slots and taken.refused is None:
            self._inside[draw.number] = draw
        return taken

    async def _take_without(self, draw: Draw) -> Taken:
        if self._on_outage == "refuse":
            raise StoreUnavailableError("The gateway cannot count calls at the moment; try again.", retry_after_s=1)
        if self._on_outage == "allow":
            self._taken_here.add(draw.number)
            return Taken((0,) * len(draw.counters))
        taken = await self._local.take(draw)
        if taken.refused is None:
            self._taken_here.add(draw.number)
        return taken

    def close(self, draw: Draw, correction: int, *, now: float) -> None:
        """Give back the slots and correct the windows where they were taken."""
        if draw.number not in self._taken_here:
            self._inside.pop(draw.number, None)
            self.closing.add((draw, correction, now))
            return
        self._taken_here.discard(draw.number)
        if self._on_outage == "local":
            self._local.close(draw, correction, now=now)

    async def _close(self, closed: Sequence[tuple[Draw, int, float]]) -> None:
        now = closed[-1][2]
        if self._is_away(now):
            return
        try:
            async with _asking():
                await self._shared.close(closed)
        except FAILURES as error:
            # Not tried again: counts end with their minute, and slots with their lease.
            self._went(now, error)

    async def drained(self) -> None:
        """Wait until everything that was closed has been counted."""
        await self.closing.drained()

    async def renew(self, *, now: float) -> None:
        """Prolong the leases of calls that still run, and see whether Redis answers."""
        try:
            async with _asking():
                await self._shared.renew(list(self._inside.values()), now=now)
        except FAILURES as error:
            self._went(now, error)
        else:
            self._answered()


@asynccontextmanager
async def open_shared_counters(redis_url: str, on_outage: OnOutage) -> AsyncIterator[SharedCounters]:
    """Count in the Redis at `redis_url`, which need not be there yet."""
    redis = Redis.from_url(
        redis_url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # Once more, at once: a connection that lay idle may have been closed by the other side.
        retry=Retry(NoBackoff(), 1),
    )
    try:
        counters = SharedCounters(RedisCounters(redis), on_outage)
        async with counters.closing.running():
            yield counters
    finally:
        await redis.aclose()
