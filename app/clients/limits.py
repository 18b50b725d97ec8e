"""Rates and concurrency: how much may come in one minute, and how many calls may run at the same time.

A minute is the clock's own (UTC), so that all replicas mean the same one and a client is told exactly when it ends;
around the turn of a minute, two minutes' worth may therefore come close together. Where replicas share the counters, a
running call holds a slot as a lease: whoever dies without giving it back loses it when the lease ends.

It knows no HTTP and no client, only keys; times are seconds since the epoch, given by the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

WINDOW_S = 60
LEASE_S = 180.0
"""How long a call of another process is believed to live after it was last heard of: three of the sweep's intervals."""

OnOutage = Literal["local", "refuse", "allow"]
"""What happens while shared counters are away: count in each process, refuse calls, or let them through."""


def window_of(now: float) -> int:
    """Give the number of the minute that `now` is in."""
    return int(now // WINDOW_S)


def window_left(now: float) -> float:
    """Tell how many seconds are left of the minute."""
    return WINDOW_S - now % WINDOW_S


class Counter(NamedTuple):
    """One counter, which holds at most `quota`."""

    key: str
    quota: int


@dataclass(slots=True)
class Draw:
    """What one call takes, all or nothing: the same amount of each of this minute's `windows`, and one of each slot.

    `number` is the call's own in this process, by which its slots are given back.
    """

    number: int
    taken_at: float
    amount: int
    windows: tuple[Counter, ...]
    slots: tuple[Counter, ...]

    @property
    def counters(self) -> tuple[Counter, ...]:
        """Everything that is taken from, the windows first."""
        return self.windows + self.slots

    def amount_of(self, index: int) -> int:
        """Tell how much is taken of one of `counters`."""
        return self.amount if index < len(self.windows) else 1


class Taken(NamedTuple):
    """How the counters stand, in the order of `Draw.counters`, and which of them had no room (then nothing was)."""

    used: Sequence[int]
    refused: int | None = None


class Counters(Protocol):
    """Where rates and slots are counted: in this process, or in a Redis that replicas share."""

    @property
    def state(self) -> str:
        """Say how it is for `/readyz`: `ok`, or `away`."""

    def take_at_once(self, draw: Draw) -> Sequence[int] | None:
        """Take all of the draw, and give how the counters stand, in their order.

        None where nothing was taken, since it has to be waited for or is refused: `take` does the one, and says the
        other.
        """

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it; raises StoreUnavailableError where an outage refuses calls."""

    def close(self, draw: Draw, correction: int, *, now: float) -> None:
        """Give back the slots, and add to each window what the call used more (or less) than it took.

        Never fails and does not wait: what is too little is given back to the minute it was taken from, if that still
        runs; what is too much counts in the minute that runs now.
        """

    async def renew(self, *, now: float) -> None:
        """Prolong the leases of calls that hold a slot, and see how the store is."""

    async def drained(self) -> None:
        """Wait until everything that was closed has been counted."""


def counts_now(draw: Draw, correction: int, *, now: float) -> bool:
    """Tell whether a correction of a draw changes the minute that runs now."""
    return correction > 0 or (correction < 0 and now // WINDOW_S == draw.taken_at // WINDOW_S)


class MemoryCounters:
    """Counts in this process. What it holds is bounded by what was called in the last minute and what runs now."""

    state = "ok"

    def __init__(self) -> None:
        self._ends_at = 0.0
        self._counts: dict[str, int] = {}
        self._slots: dict[str, int] = {}

    def _turn(self, now: float) -> None:
        # Forwards only: a clock that was set back counts on where it was.
        self._ends_at = (window_of(now) + 1) * WINDOW_S
        self._counts = {}

    async def take(self, draw: Draw) -> Taken:
        """Take all of the draw, or nothing of it."""
        used = self.take_at_once(draw)
        return self._refused(draw) if used is None else Taken(used)

    def take_at_once(self, draw: Draw) -> list[int] | None:
        """Take all of the draw, and give how the counters stand; None when it is refused."""
        now, amount, windows, slots = draw.taken_at, draw.amount, draw.windows, draw.slots
        if now >= self._ends_at:
            self._turn(now)
        counts, running = self._counts, self._slots
        used, is_refused = [], False
        for key, quota in windows:
            after = counts[key] = counts.get(key, 0) + amount
            used.append(after)
            if after > quota:
                is_refused = True
        for key, quota in slots:
            after = running[key] = running.get(key, 0) + 1
            used.append(after)
            if after > quota:
                is_refused = True
        if is_refused:
            # Rare: what was taken is given back.
            self.close(draw, -amount, now=now)
            return None
        return used

    def _refused(self, draw: Draw) -> Taken:
        used = [self._counts[key] for key, _ in draw.windows] + [self._slots.get(key, 0) for key, _ in draw.slots]
        refused = next(
            index for index, (_, quota) in enumerate(draw.counters) if used[index] + draw.amount_of(index) > quota
        )
        return Taken(used, refused)

    def close(self, draw: Draw, correction: int, *, now: float) -> None:
        """Give back the slots and correct the windows."""
        if correction and counts_now(draw, correction, now=now):
            if now >= self._ends_at:
                self._turn(now)
            counts = self._counts
            for key, _ in draw.windows:
                counts[key] = max(0, counts.get(key, 0) + correction)
        running = self._slots
        for key, _ in draw.slots:
            left = running[key] - 1
            if left:
                running[key] = left
            else:
                del running[key]

    async def renew(self, *, now: float) -> None:
        """Do nothing: what holds a slot here lives as long as this does."""

    async def drained(self) -> None:
        """Do nothing: what was closed has been counted."""
