"""Rates and concurrency for all replicas together, in Redis or another server with its protocol.

One script decides and counts atomically, so that a request is counted whole or not at all. Every key expires by itself.
`outage.py` handles an outage of the server.

    gg{limits}:client:web:requests:29384756    a minute's count
    gg{limits}:client:web:concurrent-requests  running calls, each with the end of its lease
"""

from collections.abc import Collection, Sequence
from secrets import token_hex

from redis.asyncio import Redis

from app.clients.counters import LEASE_S, WINDOW_S, CounterRequest, CounterResult, counts_now, window_of

PREFIX = "gg{limits}:"
"""The keys' prefix, with a hash tag: in a cluster all keys of a request must be on one node."""

TAKE = """
local now, lease, until_, window_ttl, lease_ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local windows = tonumber(ARGV[6])
local used, refused = {}, 0
for i, key in ipairs(KEYS) do
  local amount, quota = tonumber(ARGV[5 + 2 * i]), tonumber(ARGV[6 + 2 * i])
  if i <= windows then
    used[i] = tonumber(redis.call('GET', key) or 0)
  else
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    used[i] = redis.call('ZCARD', key)
  end
  if refused == 0 and used[i] + amount > quota then refused = i end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local amount = tonumber(ARGV[5 + 2 * i])
    if i <= windows then
      redis.call('INCRBY', key, amount)
      redis.call('EXPIRE', key, window_ttl)
    else
      redis.call('ZADD', key, until_, lease)
      redis.call('EXPIRE', key, lease_ttl)
    end
    used[i] = used[i] + amount
  end
end
return {refused, unpack(used)}
"""

CHANGE = """
local until_, window_ttl, lease_ttl = ARGV[1], ARGV[2], ARGV[3]
for i, key in ipairs(KEYS) do
  local what, value = ARGV[2 + 2 * i], ARGV[3 + 2 * i]
  if what == 'add' then
    redis.call('INCRBY', key, value)
    redis.call('EXPIRE', key, window_ttl)
  elseif what == 'end' then
    redis.call('ZREM', key, value)
  else
    redis.call('ZADD', key, 'XX', until_, value)
    redis.call('EXPIRE', key, lease_ttl)
  end
end
"""
"""Extends only existing leases: a lease that ends in the same moment must not return."""
WINDOW_TTL_S = 2 * WINDOW_S
LEASE_TTL_S = int(2 * LEASE_S)


def _window_key(key: str, now: float) -> str:
    return f"{PREFIX}{key}:{window_of(now)}"


class RedisCounters:
    """Counts in Redis. Its errors are redis.RedisError and OSError."""

    def __init__(self, redis: Redis) -> None:
        self._process = token_hex(8)
        self._take = redis.register_script(TAKE)
        self._change = redis.register_script(CHANGE)

    def _lease(self, request: CounterRequest) -> str:
        return f"{self._process}-{request.number:x}"

    async def take(self, request: CounterRequest) -> CounterResult:
        """Count all amounts of the request, or none."""
        now = request.taken_at
        keys = [_window_key(counter.key, now) for counter in request.windows]
        keys += [PREFIX + counter.key for counter in request.slots]
        arguments: list[str | int | float] = [now, self._lease(request), now + LEASE_S, WINDOW_TTL_S, LEASE_TTL_S]
        arguments.append(len(request.windows))
        for index, counter in enumerate(request.counters):
            arguments += (request.amount_of(index), counter.quota)
        refused, *used = await self._take(keys=keys, args=arguments)
        return CounterResult(used, refused=refused - 1 if refused else None)

    async def close(self, closed: Sequence[tuple[CounterRequest, int, float]]) -> None:
        """Release the slots and correct the windows of requests, each with its correction and the time of its end."""
        changes: list[tuple[str, str, str | int]] = []
        for request, correction, now in closed:
            if counts_now(request, correction, now=now):
                changes += [(_window_key(counter.key, now), "add", correction) for counter in request.windows]
            changes += [(PREFIX + counter.key, "end", self._lease(request)) for counter in request.slots]
        if changes:
            await self._apply(changes, until=0)

    async def renew(self, requests: Collection[CounterRequest], *, now: float) -> None:
        """Extend the leases of running requests; without any, check that the server answers."""
        changes = [
            (PREFIX + counter.key, "renew", self._lease(request)) for request in requests for counter in request.slots
        ]
        await self._apply(changes, until=now + LEASE_S)

    async def _apply(self, changes: Sequence[tuple[str, str, str | int]], *, until: float) -> None:
        arguments: list[str | int | float] = [until, WINDOW_TTL_S, LEASE_TTL_S]
        for _, what, value in changes:
            arguments += (what, value)
        await self._change(keys=[key for key, _, _ in changes], args=arguments)
