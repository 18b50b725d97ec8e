"""Ledgers for tests, on a table that can be away, and calls to take down."""

import asyncio
import time
from collections.abc import Sequence

from app.clients.ledger import Ledger
from app.errors import StoreUnavailableError
from app.store.database import Database
from app.store.ledger import LedgerTable, Row
from app.store.ledger_records import Entry, UsageBy

NEVER_S = 60.0
SOON_S = 0.01


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class RecordedTable(LedgerTable):
    """The table itself, which notes the sizes of its batches, and can be away, stuck, or lose its acknowledgement."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[int] = []
        self.asked = 0
        self.is_away = False
        self.loses_acknowledgement = False
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def add(self, rows: Sequence[Row]) -> None:
        self.asked += 1
        await self.is_open.wait()
        if self.is_away:
            raise StoreUnavailableError("away")
        await super().add(rows)
        self.batches.append(len(rows))
        if self.loses_acknowledgement:
            raise StoreUnavailableError("went away after the commit")


def call(number: int) -> Entry:
    """Return a call of now, with its number in its operation."""
    return Entry(
        at=time.time(),
        client_id="c",
        client_name="c",
        surface="rest",
        operation=str(number),
        outcome="stop",
        status=200,
        total_ms=1,
    )


def ledger_on(
    table: LedgerTable, *, flush_s: float = NEVER_S, capacity: int = 10_000, clock: Clock | None = None
) -> Ledger:
    """Make a ledger that is written when it is told, unless an interval is given."""
    return Ledger(table, flush_s=flush_s, keep_days=2, capacity=capacity, clock=clock or Clock())


async def written(table: LedgerTable) -> int:
    """Count the calls that stand in a table."""
    found = await table.usage(client_id=None, since=0, until=9e9, by=UsageBy.CLIENT)
    return sum(item.calls for item in found.sums)


def record(ledger: Ledger, *numbers: int) -> None:
    """Record calls in the ledger."""
    for number in numbers:
        ledger.record(call(number))
