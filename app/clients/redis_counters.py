"""Rates and concurrency in Redis, or in any server that speaks its protocol, for all replicas together.

One script decides and counts, so that a draw is taken whole or not at all, whoever else draws at the same time. Every
key expires by itself. What happens while the server is away is `outage.py`'s.

    gg{limits}:client:web:requests:29384756    a minute's count
    gg{limits}:client:web:concurrent-requests  running calls, each with the end of its lease
"""

from collections.abc import Collection, Sequence
from secrets import token_hex

from redis.asyncio import Redis

from app.clients.limits import LEASE_S, WINDOW_S, Draw, Taken, counts_now, window_of

PREFIX = "gg{limits}:"
"""With a hash tag: in a cluster all keys of a draw must lie on one node."""

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
"""Prolongs only leases that are there: one that ends in the same moment must not come back."""
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

    def _lease(self, draw: Draw) -> str:
        return f"{self._process}-{draw.number:x}"

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it."""
        now = draw.taken_at
        keys = [_window_key(counter.key, now) for counter in draw.windows]
        keys += [PREFIX + counter.key for counter in draw.slots]
        arguments: list[str | int | float] = [now, self._lease(draw), now + LEASE_S, WINDOW_TTL_S, LEASE_TTL_S]
        arguments.append(len(draw.windows))
        for index, counter in enumerate(draw.counters):
            arguments += (draw.amount_of(index), counter.quota)
        refused, *used = await self._take(keys=keys, args=arguments)
        return Taken(used, refused=refused - 1 if refused else None)

    async def close(self, closed: Sequence[tuple[Draw, int, float]]) -> None:
        """Give back the slots and correct the windows of draws: each with its correction and when it ended."""
        changes: list[tuple[str, str, str | int]] = []
        for draw, correction, now in closed:
            if counts_now(draw, correction, now=now):
                changes += [(_window_key(counter.key, now), "add", correction) for counter in draw.windows]
            changes += [(PREFIX + counter.key, "end", self._lease(draw)) for counter in draw.slots]
        if changes:
            await self._apply(changes, until=0)

    async def renew(self, draws: Collection[Draw], *, now: float) -> None:
        """Prolong the leases of calls that still run; with none, see whether the server answers."""
        changes = [(PREFIX + counter.key, "renew", self._lease(draw)) for draw in draws for counter in draw.slots]
        await self._apply(changes, until=now + LEASE_S)

    async def _apply(self, changes: Sequence[tuple[str, str, str | int]], *, until: float) -> None:
        arguments: list[str | int | float] = [until, WINDOW_TTL_S, LEASE_TTL_S]
        for _, what, value in changes:
            arguments += (what, value)
        await self._change(keys=[key for key, _, _ in changes], args=arguments)
