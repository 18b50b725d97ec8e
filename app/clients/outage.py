"""Counting in Redis, and its fallback during an outage: count in this process, refuse, or let all requests through.

After a failure the server is not asked again for RETRY_S, so that in an outage only one request a second waits for it.
The log has one line for the outage and another for its end. Counts of this process stay in this process.
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
from app.clients.counters import CounterRequest, CounterResult, MemoryCounters, OnOutage
from app.clients.redis_counters import RedisCounters
from app.errors import StoreUnavailableError

log = logging.getLogger("gateway.limits")
TIMEOUT_S = 1.0
RETRY_S = 1.0
FAILURES = (RedisError, OSError, TimeoutError)


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    """Run a block that asks Redis, for at most TIMEOUT_S."""
    # While redis-py connects, it may swallow a cancellation, and the cancelled task would run on. Such a cancellation
    # is raised again.
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
    """Redis' counters while they answer, else the fallback that `on_outage` names."""

    def __init__(self, shared: RedisCounters, on_outage: OnOutage) -> None:
        self._shared = shared
        self._on_outage = on_outage
        self._local = MemoryCounters()
        self._taken_here: set[int] = set()
        self._inside: dict[int, CounterRequest] = {}
        self._retry_at: float | None = None
        self.closing: Backlog[tuple[CounterRequest, int, float]] = Backlog(self._close)

    @property
    def state(self) -> str:
        """Return `ok`, or `away` during an outage."""
        return "ok" if self._retry_at is None else "away"

    def _is_away(self, now: float) -> bool:
        return self._retry_at is not None and now < self._retry_at

    def _went(self, now: float, error: Exception) -> None:
        if self._retry_at is None:
            log.warning("Redis is unavailable (%s); LIMITS_ON_OUTAGE=%s", type(error).__name__, self._on_outage)
        self._retry_at = now + RETRY_S

    def _answered(self) -> None:
        if self._retry_at is not None:
            log.warning("Redis is available again")
        self._retry_at = None

    def take_at_once(self, request: CounterRequest) -> None:
        """Return None: an answer from Redis must be awaited."""

    async def take(self, request: CounterRequest) -> CounterResult:
        """Count all amounts of the request or none. Raises StoreUnavailableError if the fallback refuses requests."""
        now = request.taken_at
        if self._is_away(now):
            return await self._take_without(request)
        if self._retry_at is not None:
            # One request tries the server; the others use the fallback until it answers.
            self._retry_at = now + RETRY_S
        if request.slots:
            # Slots released a moment ago must be free for the next request.
            await self.closing.drained()
        try:
            async with _asking():
                taken = await self._shared.take(request)
        except FAILURES as error:
            self._went(now, error)
            return await self._take_without(request)
        self._answered()
        if request.slots and taken.refused is None:
            self._inside[request.number] = request
        return taken

    async def _take_without(self, request: CounterRequest) -> CounterResult:
        if self._on_outage == "refuse":
            raise StoreUnavailableError("The gateway cannot count calls at the moment; try again.", retry_after_s=1)
        if self._on_outage == "allow":
            self._taken_here.add(request.number)
            return CounterResult((0,) * len(request.counters))
        taken = await self._local.take(request)
        if taken.refused is None:
            self._taken_here.add(request.number)
        return taken

    def close(self, request: CounterRequest, correction: int, *, now: float) -> None:
        """Release the slots and correct the windows, in Redis or in this process, wherever the request was counted."""
        if request.number not in self._taken_here:
            self._inside.pop(request.number, None)
            self.closing.add((request, correction, now))
            return
        self._taken_here.discard(request.number)
        if self._on_outage == "local":
            self._local.close(request, correction, now=now)

    async def _close(self, closed: Sequence[tuple[CounterRequest, int, float]]) -> None:
        now = closed[-1][2]
        if self._is_away(now):
            return
        try:
            async with _asking():
                await self._shared.close(closed)
        except FAILURES as error:
            # Not repeated, since counts expire with their minute, and slots with their lease.
            self._went(now, error)

    async def drained(self) -> None:
        """Wait until every closed request is counted."""
        await self.closing.drained()

    async def renew(self, *, now: float) -> None:
        """Extend the leases of running requests, and check that Redis answers."""
        try:
            async with _asking():
                await self._shared.renew(list(self._inside.values()), now=now)
        except FAILURES as error:
            self._went(now, error)
        else:
            self._answered()


@asynccontextmanager
async def open_shared_counters(redis_url: str, on_outage: OnOutage) -> AsyncIterator[SharedCounters]:
    """Count in the Redis at `redis_url`, which need not answer yet."""
    redis = Redis.from_url(
        redis_url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # One retry without a wait: the server may have closed an idle connection.
        retry=Retry(NoBackoff(), 1),
    )
    try:
        counters = SharedCounters(RedisCounters(redis), on_outage)
        async with counters.closing.running():
            yield counters
    finally:
        await redis.aclose()
