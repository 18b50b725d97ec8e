"""Rates and concurrency: how much may come in one minute, and how many calls may run at the same time.

A minute is the clock's own (UTC), so that all replicas mean the same one and a client is told exactly when it ends;
around the turn of a minute, two minutes' worth may therefore come close together. A running call holds a slot as a
lease: whoever dies without giving it back loses it when the lease ends.

It knows no HTTP and no client, only keys; times are seconds since the epoch, given by the caller.
"""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, Protocol

WINDOW_S = 60
LEASE_S = 180.0
"""How long a running call is believed to live after it was last heard of: three of the sweep's intervals."""

OnOutage = Literal["local", "refuse", "allow"]
"""What happens while shared counters are away: count in each process, refuse calls, or let them through."""


def window_of(now: float) -> int:
    """Give the number of the minute that `now` is in."""
    return int(now // WINDOW_S)


def window_left(now: float) -> float:
    """Tell how many seconds are left of the minute."""
    return WINDOW_S - now % WINDOW_S


class Take(NamedTuple):
    """What is taken from one counter, which holds at most `quota`."""

    key: str
    amount: int
    quota: int


class Draw(NamedTuple):
    """What one call takes, all or nothing: amounts of this minute's, and a slot of each of `slots` (their amount is 1).

    `id` is the call's own, by which its slots are given back.
    """

    id: str
    taken_at: float
    windows: tuple[Take, ...]
    slots: tuple[Take, ...]

    @property
    def takes(self) -> tuple[Take, ...]:
        """Everything that is taken, the windows first."""
        return self.windows + self.slots


class Taken(NamedTuple):
    """How the counters stand, in the order of `Draw.takes`, and which of them had no room (then nothing was taken)."""

    used: tuple[int, ...]
    refused: int | None = None


class Counters(Protocol):
    """Where rates and slots are counted: in this process, or in a Redis that replicas share."""

    @property
    def state(self) -> str:
        """Say how it is for `/readyz`: `ok`, or `away`."""

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it; raises StoreUnavailableError where an outage refuses calls."""

    def close(self, draw: Draw, corrections: Sequence[int], *, now: float) -> None:
        """Give back the slots, and add to each window what the call used more (or less) than it took.

        Never fails and does not wait: what is too little is given back to the minute it was taken from, if that still
        runs; what is too much counts in the minute that runs now.
        """

    async def renew(self, draws: Collection[Draw], *, now: float) -> None:
        """Prolong the leases of calls that still run, and see how the store is."""

    async def drained(self) -> None:
        """Wait until everything that was closed has been counted."""


def corrected(draw: Draw, corrections: Sequence[int], *, now: float) -> list[tuple[str, int]]:
    """Tell which counters of the minute that runs now change by how much when the draw is closed."""
    is_same_minute = window_of(now) == window_of(draw.taken_at)
    changes = zip(draw.windows, corrections, strict=True)
    return [(take.key, change) for take, change in changes if change > 0 or (change < 0 and is_same_minute)]


class MemoryCounters:
    """Counts in this process. What it holds is bounded by what was called in the last minute and what runs now."""

    state = "ok"

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[str, int] = {}
        self._slots: dict[str, dict[str, float]] = {}

    def _turn(self, now: float) -> None:
        # Forwards only: a clock that was set back counts on where it was.
        if window_of(now) > self._window:
            self._window = window_of(now)
            self._counts = {}

    def _held(self, key: str, now: float) -> int:
        leases = self._slots.get(key)
        if not leases:
            return 0
        # In the order in which they were taken or prolonged, which is that of their ends.
        while leases:
            lease = next(iter(leases))
            if leases[lease] > now:
                break
            del leases[lease]
        return len(leases)

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it."""
        now, counts = draw.taken_at, self._counts
        if window_of(now) > self._window:
            self._turn(now)
            counts = self._counts
        used = [counts.get(take.key, 0) for take in draw.windows]
        if draw.slots:
            used += [self._held(take.key, now) for take in draw.slots]
        takes = draw.takes
        after = [have + take.amount for have, take in zip(used, takes, strict=True)]
        for index, take in enumerate(takes):
            if after[index] > take.quota:
                return Taken(tuple(used), refused=index)
        for take, counted in zip(draw.windows, after, strict=False):
            counts[take.key] = counted
        for take in draw.slots:
            self._slots.setdefault(take.key, {})[draw.id] = now + LEASE_S
        return Taken(tuple(after))

    def close(self, draw: Draw, corrections: Sequence[int], *, now: float) -> None:
        """Give back the slots and correct the windows."""
        self._turn(now)
        for key, change in corrected(draw, corrections, now=now):
            self._counts[key] = max(self._counts.get(key, 0) + change, 0)
        for take in draw.slots:
            leases = self._slots.get(take.key, {})
            leases.pop(draw.id, None)
            if not leases:
                self._slots.pop(take.key, None)

    async def renew(self, draws: Collection[Draw], *, now: float) -> None:
        """Prolong the leases of calls that still run."""
        for draw in draws:
            for take in draw.slots:
                leases = self._slots.get(take.key, {})
                if leases.pop(draw.id, None) is not None:
                    leases[draw.id] = now + LEASE_S

    async def drained(self) -> None:
        """Do nothing: what was closed has been counted."""
