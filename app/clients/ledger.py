"""The usage ledger: one row for each call, written off the request's path.

    a call's end ──record──> queue (bounded) ──every LEDGER_FLUSH_S or 5,120 rows──> table ──usage──> sums

A crash can lose the calls of the last flush interval, and the calls that waited for an unavailable database. A batch
whose commit was not confirmed is written again, and is stored once. While the database is unavailable, rows wait; if
the queue is full, new rows are dropped and counted, with one warning a minute. This module knows no HTTP and no SQL.
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
"""Rows of one transaction. Each statement, whatever its size, makes SQLite's thread and the event loop compete for the
interpreter, which costs more than the rows: so transactions are few and large."""
CAPACITY = 10_240
DELETED_AT_ONCE = 5_000
WRITE_TIMEOUT_S = 10.0
LAST_FLUSH_S = 5.0
LOG_INTERVAL_S = 60.0
DAY_S = 86_400.0


class Ledger:
    """Holds rows in memory, and writes them while its block runs; waiting rows are written at the block's end.

    `capacity` is the largest number of waiting rows; `flush_s` and `keep_days` are LEDGER_FLUSH_S and LEDGER_DAYS;
    `clock` returns seconds since the epoch. A ledger belongs to one event loop.
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
        """The number of calls without a row because the queue was full."""

    def record(self, entry: Entry) -> None:
        """Record a call without waiting: if the queue is full, the row is dropped and counted."""
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
            self._untold += 1
            return
        # The row is made at once, while the entry is still in the processor's cache.
        self._waiting.append(self._table.row(self._writer, next(self._numbers), entry))
        # While the database is unavailable, the interval alone decides when to try again.
        if len(self._waiting) >= DUE_AT and self._failure is None:
            self._is_due.set()

    async def usage(
        self, *, client_id: str | None, since: float, until: float, by: UsageBy, has_users: bool = False
    ) -> UsageSums:
        """Return the sums of calls that came from `since` until before `until` (seconds since the epoch).

        `client_id` None stands for all clients; with `has_users`, the users of the client's short-lived tokens count
        too. Calls of this process count at once, calls of other processes within their flush interval. Raises
        StoreUnavailableError.
        """
        if self._failure is None:
            await self.flush()
        return await self._table.usage(client_id=client_id, since=since, until=until, by=by, has_users=has_users)

    async def forget_old(self, now: float) -> None:
        """Delete calls older than `keep_days`. Raises StoreUnavailableError."""
        oldest = now - self._keep_s
        while await self._table.delete_before(oldest, limit=DELETED_AT_ONCE) == DELETED_AT_ONCE:
            pass

    async def flush(self) -> None:
        """Write the rows that wait now. After a failure, whatever its kind, they wait on, and the log says so."""
        async with self._lock:
            # Rows that come meanwhile wait: under load they never end, and would be written row by row.
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
                # A database that is starting or full raises errors of other kinds than one that is unavailable.
                self._tell(type(error).__name__)
            else:
                self._tell(None)

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the waiting rows, for at most LAST_FLUSH_S."""
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
            # Cleared after the flush: calls that ended meanwhile have counted rows that are written now.
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
