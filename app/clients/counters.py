"""Counters of rates and of concurrent requests: in this process's memory, or in a Redis that replicas share.

A minute is the clock's own (UTC), so that all replicas mean the same one and a client is told exactly when it ends;
around the turn of a minute, two minutes' worth may therefore come close together. If replicas share the counters, a
running request holds a slot as a lease: a process that dies loses its slots when their leases end.

This module knows no HTTP and no client, only keys; times are seconds since the epoch, given by the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

WINDOW_S = 60
LEASE_S = 180.0
"""Lease of another process's running request after its last renewal: three of the sweep's intervals."""

OnOutage = Literal["local", "refuse", "allow"]
"""While shared counters are away: count in each process, refuse requests, or let them through."""


def window_of(now: float) -> int:
    """Return the number of the minute that `now` is in."""
    return int(now // WINDOW_S)


def window_left(now: float) -> float:
    """Return the seconds that are left of the minute."""
    return WINDOW_S - now % WINDOW_S


class Counter(NamedTuple):
    """One counter, which holds at most `quota`."""

    key: str
    quota: int


@dataclass(slots=True)
class CounterRequest:
    """Amounts to take, all or nothing: the same of each of this minute's `windows`, and one of each slot.

    `number` is unique in this process; the slots are given back by it.
    """

    number: int
    taken_at: float
    amount: int
    windows: tuple[Counter, ...]
    slots: tuple[Counter, ...]

    @property
    def counters(self) -> tuple[Counter, ...]:
        """Return all counters, the windows first."""
        return self.windows + self.slots

    def amount_of(self, index: int) -> int:
        """Return the amount to take of one of `counters`."""
        return self.amount if index < len(self.windows) else 1


class CounterResult(NamedTuple):
    """The counts after a request, in the order of its counters. If `refused` names a counter, nothing was taken."""

    used: Sequence[int]
    refused: int | None = None


class Counters(Protocol):
    """Counts rates and slots."""

    @property
    def state(self) -> str:
        """Return the state for `/readyz`: `ok`, or `away`."""

    def take_at_once(self, request: CounterRequest) -> Sequence[int] | None:
        """Count the request's amounts and return the counts, in the order of its counters.

        None if nothing was taken, since the counters must be waited for or refuse; `take` tells which.
        """

    async def take(self, request: CounterRequest) -> CounterResult:
        """Count all of the request or nothing; raises StoreUnavailableError if an outage refuses requests."""

    def close(self, request: CounterRequest, correction: int, *, now: float) -> None:
        """Free the slots, and add to each window the difference between true and taken amount.

        Never fails and does not wait. A surplus is given back to the minute it was taken from if that still runs; an
        overrun counts in the minute that runs now.
        """

    async def renew(self, *, now: float) -> None:
        """Prolong the leases of requests that hold a slot, and check the store."""

    async def drained(self) -> None:
        """Wait until every closed request is counted."""


def counts_now(request: CounterRequest, correction: int, *, now: float) -> bool:
    """Return whether a correction changes the minute that runs now."""
    return correction > 0 or (correction < 0 and now // WINDOW_S == request.taken_at // WINDOW_S)


class MemoryCounters:
    """Counts in this process. Memory is bounded by the last minute's requests and those that run now."""

    state = "ok"

    def __init__(self) -> None:
        self._ends_at = 0.0
        self._counts: dict[str, int] = {}
        self._slots: dict[str, int] = {}

    def _turn(self, now: float) -> None:
        # Forwards only: after the clock was set back, the current minute goes on.
        self._ends_at = (window_of(now) + 1) * WINDOW_S
        self._counts = {}

    async def take(self, request: CounterRequest) -> CounterResult:
        """Count all of the request, or nothing."""
        used = self.take_at_once(request)
        return self._refused(request) if used is None else CounterResult(used)

    def take_at_once(self, request: CounterRequest) -> list[int] | None:
        """Count all of the request and return the counts; None if a counter has no room."""
        now, amount, windows, slots = request.taken_at, request.amount, request.windows, request.slots
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
            # Rare, so that counting first and giving back is cheaper than looking first.
            self.close(request, -amount, now=now)
            return None
        return used

    def _refused(self, request: CounterRequest) -> CounterResult:
        used = [self._counts[key] for key, _ in request.windows] + [self._slots.get(key, 0) for key, _ in request.slots]
        refused = next(
            index for index, (_, quota) in enumerate(request.counters) if used[index] + request.amount_of(index) > quota
        )
        return CounterResult(used, refused)

    def close(self, request: CounterRequest, correction: int, *, now: float) -> None:
        """Free the slots and correct the windows."""
        if correction and counts_now(request, correction, now=now):
            if now >= self._ends_at:
                self._turn(now)
            counts = self._counts
            for key, _ in request.windows:
                counts[key] = max(0, counts.get(key, 0) + correction)
        running = self._slots
        for key, _ in request.slots:
            left = running[key] - 1
            if left:
                running[key] = left
            else:
                del running[key]

    async def renew(self, *, now: float) -> None:
        """Do nothing: a slot in memory lives as long as its process."""

    async def drained(self) -> None:
        """Do nothing: `close` has counted already."""
