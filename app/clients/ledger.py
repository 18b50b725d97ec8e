"""The usage ledger: one row a call, written off the request's path.

    a call's end ──record──> queue (bounded) ──every LEDGER_FLUSH_S or 5,120 rows──> table ──usage──> sums

What a crash can lose are the calls of the last flush interval, and those that waited for a database that was away. A
batch whose commit nobody saw is written again, and stands there once. While the database is away rows wait; when the
queue is full, new ones are dropped and counted, and the log says so once a minute. It knows no HTTP and no SQL.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count, islice
from typing import Self

from app.store.ledger import LedgerTable, Row
from app.store.ledger_records import Entry, UsageBy, UsageSums

log = logging.getLogger("gateway.ledger")
DUE_AT = 5_120
BATCH = 5_120
"""Rows of one transaction. Few large ones, of the largest statements that there are: with each statement SQLite's
thread and the event loop take the interpreter from each other, whatever its size, and that costs more than the rows."""
CAPACITY = 10_240
DELETED_AT_ONCE = 5_000
WRITE_TIMEOUT_S = 10.0
LAST_FLUSH_S = 5.0
LOG_INTERVAL_S = 60.0
DAY_S = 86_400.0


class Ledger:
    """Takes calls down in memory and writes them while it is entered; what waits is written when it is left.

    `capacity` is how many rows may wait; `flush_s` and `keep_days` are LEDGER_FLUSH_S and LEDGER_DAYS; `clock` gives
    seconds since the epoch. It belongs to one event loop.
    """

    def __init__(
        self,
        table: LedgerTable,
        *,
        flush_s: float,
        keep_days: int,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._flush_s = flush_s
        self._keep_s = keep_days * DAY_S
        self._capacity = capacity
        self._clock = clock
        self._writer = secrets.token_hex(8)
        self._numbers = count()
        self._waiting: deque[Row] = deque()
        self._lock = asyncio.Lock()
        self._is_due = asyncio.Event()
        self._is_closing = False
        self._failure: str | None = None
        self._untold = 0
        self._told_at = float("-inf")
        self._writing: asyncio.Task[None] | None = None
        self.dropped = 0
        """How many calls were not taken down because the queue was full."""

    def record(self, entry: Entry) -> None:
        """Record a call without waiting: if the queue is full, the row is dropped and counted."""
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
            self._untold += 1
            return
        # It is made ready at once: what is at hand now has to be fetched from memory a moment later.
        self._waiting.append(self._table.row(self._writer, next(self._numbers), entry))
        # While the database is away, the interval alone decides when it is asked again.
        if len(self._waiting) >= DUE_AT and self._failure is None:
            self._is_due.set()

    async def usage(
        self, *, client_id: str | None, since: float, until: float, by: UsageBy, has_users: bool = False
    ) -> UsageSums:
        """Sum the calls that came from `since` until before `until` (seconds since the epoch), of one client or of all.

        With `has_users`, those of the users of its short-lived tokens too. Calls of this process are in it at once,
        those of others within their flush interval. Raises StoreUnavailableError when the database is away.
        """
        if self._failure is None:
            await self.flush()
        return await self._table.usage(client_id=client_id, since=since, until=until, by=by, has_users=has_users)

    async def forget_old(self, now: float) -> None:
        """Delete calls older than `keep_days`. Raises StoreUnavailableError when the database is away."""
        oldest = now - self._keep_s
        while await self._table.delete_before(oldest, limit=DELETED_AT_ONCE) == DELETED_AT_ONCE:
            pass

    async def flush(self) -> None:
        """Write what waits now. What cannot be written goes on waiting, whatever the reason, and the log says so."""
        async with self._lock:
            # Not what comes meanwhile: under load that never ends, and would be written row by row.
            left = len(self._waiting)
            try:
                while left:
                    batch = tuple(islice(self._waiting, min(left, BATCH)))
                    async with asyncio.timeout(WRITE_TIMEOUT_S):
                        await self._table.add(batch)
                    for _ in batch:
                        self._waiting.popleft()
                    left -= len(batch)
            except Exception as error:
                # Not only an outage: a database that is starting or full says so in ways of its own.
                self._tell(type(error).__name__)
            else:
                self._tell(None)

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what still waits, for at most five seconds."""
        self._is_closing = True
        self._is_due.set()
        if self._writing is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_FLUSH_S):
                    await self._writing
        if self._waiting:
            log.error(
                "%d calls are not in the ledger: the database stayed unavailable until the end", len(self._waiting)
            )

    async def _write(self) -> None:
        while not self._is_closing:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_s):
                    await self._is_due.wait()
            await self.flush()
            # Only now: those that came meanwhile have found more waiting than there is.
            if self._failure is not None or len(self._waiting) < DUE_AT:
                self._is_due.clear()
        await self.flush()
        while self._waiting and self._failure is None:
            await self.flush()

    def _tell(self, failure: str | None) -> None:
        if failure is None and self._failure is not None:
            log.info("the ledger is written again")
        self._failure = failure
        now = self._clock()
        if (failure or self._untold) and now - self._told_at >= LOG_INTERVAL_S:
            reason = f"cannot be written ({failure})" if failure else "was written too slowly"
            log.warning("the ledger %s: %d calls wait, %d were dropped", reason, len(self._waiting), self._untold)
            self._told_at, self._untold = now, 0
