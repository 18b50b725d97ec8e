"""Shares the connections to Gemini between callers (rules of fair shares).

    take ──free connection, group below its share──> taken ──release──┐
      └──> queue, bounded ──round robin over groups, then users───────┴──> taken
                └──longer than wait_s, or the queue is full──> BusyError

A group may use every connection that no other group waits for, up to its share; the rest is a reserve for the others.
This module opens no connection and knows no request.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import BusyError
from app.gemini.caller import Caller, no_connection


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call in the queue. `turn` is done when the call has a connection, or must leave the queue."""

    caller: Caller
    turn: "asyncio.Future[None]"


_Users = OrderedDict[str, deque[_Waiter]]


class FairQueue:
    """Waiting calls, by group and user; `next` takes them round robin over both."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, _Users] = OrderedDict()
        self._sizes: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._sizes.total()

    def add(self, waiter: _Waiter) -> None:
        """Add a call at the end of its user's line."""
        caller = waiter.caller
        self._groups.setdefault(caller.group, OrderedDict()).setdefault(caller.user, deque()).append(waiter)
        self._sizes[caller.group] += 1

    def discard(self, waiter: _Waiter) -> None:
        """Remove a call if it is still in the queue."""
        caller = waiter.caller
        users = self._groups.get(caller.group)
        if users is not None and waiter in users.get(caller.user, ()):
            users[caller.user].remove(waiter)
            self._forget(caller)

    def next(self, may_take: Callable[[str], bool]) -> _Waiter | None:
        """Remove and return the next call of a group that may take a connection; None if no such call waits."""
        for group, users in self._groups.items():
            if may_take(group):
                user = next(iter(users))
                waiter = users[user].popleft()
                users.move_to_end(user)
                self._groups.move_to_end(group)
                self._forget(waiter.caller)
                return waiter
        return None

    def drop_for(self, newcomer: Caller) -> _Waiter | None:
        """Remove and return the newest call of the longest line, if the newcomer's own line is shorter."""
        group = max(self._groups, key=self._sizes.__getitem__)
        users = self._groups[group]
        user = max(users, key=lambda name: len(users[name]))
        if group == newcomer.group:
            is_shorter = len(users.get(newcomer.user, ())) < len(users[user])
        else:
            is_shorter = self._sizes[newcomer.group] < self._sizes[group]
        if not is_shorter:
            return None
        waiter = users[user].pop()
        self._forget(waiter.caller)
        return waiter

    def _forget(self, caller: Caller) -> None:
        self._sizes[caller.group] -= 1
        users = self._groups[caller.group]
        if not users[caller.user]:
            del users[caller.user]
        if not users:
            del self._groups[caller.group], self._sizes[caller.group]


@dataclass(slots=True)
class ConnectionSlots:
    """The right of each call to use one of `total` connections.

    `share` is the part of them that one group may use, `max_waiting` the length of the queue, `wait_s` the longest
    wait in seconds.
    """

    total: int
    share: float
    max_waiting: int
    wait_s: float
    _used: Counter[str] = field(default_factory=Counter)
    _queue: FairQueue = field(default_factory=FairQueue)

    async def take(self, caller: Caller, *, within_s: float | None = None) -> None:
        """Reserve a connection for a caller, after at most `wait_s` and at most `within_s` seconds in the queue.

        Raises BusyError if no connection becomes free in time, or if the queue is full.
        """
        if self._may_take(caller.group):
            self._used[caller.group] += 1
            return
        waiter = _Waiter(caller, asyncio.get_running_loop().create_future())
        self._enqueue(waiter)
        wait_s = self.wait_s if within_s is None else min(self.wait_s, within_s)
        try:
            async with asyncio.timeout(wait_s):
                await waiter.turn
        except TimeoutError:
            if not _has_got(waiter):
                raise self._busy(caller, f"none got free within {wait_s:g} s") from None
        except asyncio.CancelledError:
            if _has_got(waiter):
                self.release(caller)
            caller.gave_up_waiting = True
            raise
        finally:
            self._queue.discard(waiter)

    def release(self, caller: Caller) -> None:
        """Release a connection to the next call in the queue."""
        self._used[caller.group] -= 1
        if not self._used[caller.group]:
            del self._used[caller.group]
        while (waiter := self._queue.next(self._may_take)) is not None:
            # A cancelled call stays in the queue for a moment.
            if not waiter.turn.done():
                self._used[waiter.caller.group] += 1
                waiter.turn.set_result(None)

    def _may_take(self, group: str) -> bool:
        return self._used.total() < self.total and self._used[group] < max(1, int(self.total * self.share))

    def _enqueue(self, waiter: _Waiter) -> None:
        if len(self._queue) >= self.max_waiting:
            dropped = self._queue.drop_for(waiter.caller)
            if dropped is None:
                raise self._busy(waiter.caller, f"{self.max_waiting} calls wait already")
            if not dropped.turn.done():
                dropped.turn.set_exception(self._busy(dropped.caller, "calls of others go first"))
        self._queue.add(waiter)

    def _busy(self, caller: Caller, reason: str) -> BusyError:
        used = self._used.total()
        if used < self.total:
            in_use = f"This client uses its share of the connections to Gemini ({self._used[caller.group]})"
        else:
            in_use = f"All {self.total} connections to Gemini are in use"
        return no_connection(f"{in_use}, and {reason}")


def _has_got(waiter: _Waiter) -> bool:
    turn = waiter.turn
    return turn.done() and not turn.cancelled() and turn.exception() is None
