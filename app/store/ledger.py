"""The ledger's table: one row per call, written in batches, summed in SQL, deleted when old.

Every entry can be written: texts are cut to their columns, numbers to the summable range. This module knows no HTTP, no
Gemini and no clock; times are seconds since the epoch, days and months are in UTC.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain
from typing import cast

from sqlalchemy import Connection, CursorResult, RowMapping, Table, delete, func, select, tuple_

from app.store.database import Database
from app.store.ledger_records import MODALITIES, UNFINISHED, Entry, LedgerSurface, UsageBy, UsageSum, UsageSums
from app.store.schema import LedgerRow

MOST = 10**12
# Largest number of sums in a report.
MAX_SUMS = 1_000
_TABLE = cast("Table", LedgerRow.__table__)

Row = tuple[object, ...]

_KEYS = {
    UsageBy.DAY: _TABLE.c.day,
    UsageBy.MODEL: _TABLE.c.model,
    UsageBy.CLIENT: _TABLE.c.client_id,
    UsageBy.USER: _TABLE.c.client_id,
    UsageBy.OPERATION: _TABLE.c.operation,
}
_MODALITY_COLUMNS = {name: f"input_{name}" for name in MODALITIES}
_COUNTS = ("input_tokens", "output_tokens", "thinking_tokens", "cached_tokens", "bytes_in", "bytes_out")
_TOKENS = _TABLE.c.input_tokens + _TABLE.c.output_tokens + _TABLE.c.thinking_tokens


def _text(value: str, most: int) -> str:
    value = value[:most]
    if value.isascii() and "\0" not in value:
        return value
    # PostgreSQL's text accepts no NUL, and no database accepts half a surrogate pair.
    return value.replace("\0", "").encode(errors="replace").decode()


@lru_cache(maxsize=1_024)
def _labels(
    client_id: str, client_name: str, surface: LedgerSurface, operation: str, model: str | None, outcome: str
) -> tuple[str | None, ...]:
    # Most values equal those of the row before.
    return (
        _text(client_id, 255),
        _text(client_name, 255),
        surface,
        _text(operation, 64),
        None if model is None else _text(model, 127),
        _text(outcome, 64),
    )


def _dollars(value: float) -> float | None:
    return min(max(value, 0.0), MOST) if math.isfinite(value) else None


def _day(number: float, *, is_sqlite: bool) -> date | str:
    day = datetime.fromtimestamp(number * 86_400, UTC).date()
    # SQLite has no date type.
    return str(day) if is_sqlite else day


# Numbers of rows of one statement in SQLite, which accepts 32,766 values. There are few sizes, because each is compiled
# once and cached, the largest in 5 MB.
PORTIONS = (1_024, 256, 64, 16, 4, 1)


# In the order of `LedgerTable.row`, which is the table's.
_NAMES = tuple(column.name for column in _TABLE.columns)


def _insert(values: str, *, instead: str = "") -> str:
    # Written by hand, from our own names, and passed to the driver unchanged: SQLAlchemy's work per row costs more than
    # the row.
    return f"INSERT {instead} INTO ledger ({', '.join(_NAMES)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


_INSERT_POSTGRESQL = _insert(f"({', '.join(f'${number}' for number in range(1, len(_NAMES) + 1))})")


@lru_cache(maxsize=len(PORTIONS))
def _insert_sqlite(rows: int) -> str:
    # Many rows in one statement: between two statements the driver waits for the interpreter, which costs more than the
    # row.
    row = f"({', '.join('?' * len(_NAMES))})"
    # A row that cannot be written ends the whole transaction, so SQLite need not record the statement's own changes in
    # a file.
    return _insert(", ".join([row] * rows), instead="OR ROLLBACK")


def _portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    for size in PORTIONS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


class LedgerTable:
    """The rows of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_sqlite = database.is_sqlite
        self._day: tuple[float, date | str] = (-1.0, "")

    def row(self, writer: str, number: int, entry: Entry) -> Row:
        """Return a call as a row: the `number`-th call of `writer`."""
        modality = entry.input_by_modality.get
        counts: tuple[int, ...] = (
            entry.input_tokens,
            entry.output_tokens,
            entry.thinking_tokens,
            entry.cached_tokens,
            # In the order of MODALITIES; written out, because this runs for every call.
            modality("text", 0),
            modality("image", 0),
            modality("audio", 0),
            modality("video", 0),
            modality("document", 0),
            entry.bytes_in,
            entry.bytes_out,
        )
        if min(counts) < 0 or max(counts) > MOST:
            counts = tuple(min(max(value, 0), MOST) for value in counts)
        day = entry.at // 86_400
        if day != self._day[0]:
            self._day = day, _day(day, is_sqlite=self._is_sqlite)
        first_byte_ms, total_ms, cost = entry.first_byte_ms, entry.total_ms, entry.cost_usd
        return (
            writer,
            number,
            entry.at,
            self._day[1],
            *_labels(entry.client_id, entry.client_name, entry.surface, entry.operation, entry.model, entry.outcome),
            entry.status,
            *counts,
            first_byte_ms if first_byte_ms is None or math.isfinite(first_byte_ms) else None,
            total_ms if math.isfinite(total_ms) else 0.0,
            cost if cost is None or 0.0 <= cost <= MOST else _dollars(cost),
            None if entry.metadata is None else _text(entry.metadata, len(entry.metadata)),
        )

    async def add(self, rows: Sequence[Row]) -> None:
        """Write calls, all or none; rows that exist by writer and number stay unchanged.

        Raises StoreUnavailableError if the database is unavailable.
        """

        def work(connection: Connection) -> None:
            if not self._is_sqlite:
                connection.exec_driver_sql(_INSERT_POSTGRESQL, list(rows))
                return
            for some in _portions(rows):
                connection.exec_driver_sql(_insert_sqlite(len(some)), tuple(chain.from_iterable(some)))

        await self._database.run(work)

    async def usage(
        self, *, client_id: str | None, since: float, until: float, by: UsageBy, has_users: bool = False
    ) -> UsageSums:
        """Sum the calls from `since` until before `until`, of one client or of all (None).

        `has_users` includes the client's users, whose ids are the client's id, a slash and their own.
        """
        columns = _TABLE.c
        key = _KEYS[by]
        has_no_price = columns.cost_usd.is_(None) & (_TOKENS > 0)
        query = select(
            key.label("key"),
            func.max(columns.client_name).label("name"),
            func.count().label("calls"),
            func.count().filter((columns.status >= 400) | columns.outcome.in_(UNFINISHED)).label("failed_calls"),
            func.count().filter(has_no_price).label("unpriced_calls"),
            func.sum(columns.cost_usd).label("cost_usd"),
            *(func.sum(columns[name]).label(name) for name in (*_COUNTS, *_MODALITY_COLUMNS.values())),
        ).where(columns.at >= since, columns.at < until)
        if client_id is not None:
            own = columns.client_id == client_id
            prefix = f"{client_id}/"
            users = func.substr(columns.client_id, 1, len(prefix)) == prefix
            query = query.where(own | users if has_users else own)
        order = (key.desc(),) if by is UsageBy.DAY else (func.sum(_TOKENS).desc(), func.count().desc(), key)
        async with self._database.transaction() as session:
            rows = (await session.execute(query.group_by(key).order_by(*order).limit(MAX_SUMS + 1))).mappings().all()
        sums = tuple(_sum(row, is_client=by is UsageBy.CLIENT) for row in rows[:MAX_SUMS])
        return UsageSums(sums, has_more=len(rows) > MAX_SUMS)

    async def delete_before(self, at: float, *, limit: int) -> int:
        """Delete calls before `at`, at most `limit` in one transaction; return their number."""
        key = (_TABLE.c.writer, _TABLE.c.number)
        old = select(*key).where(_TABLE.c.at < at).limit(limit)
        async with self._database.transaction() as session:
            result = await session.execute(delete(_TABLE).where(tuple_(*key).in_(old)))
            return cast("CursorResult[object]", result).rowcount


def _sum(row: RowMapping, *, is_client: bool) -> UsageSum:
    return UsageSum(
        key=None if row["key"] is None else str(row["key"]),
        name=row["name"] if is_client else None,
        calls=row["calls"],
        failed_calls=row["failed_calls"],
        unpriced_calls=row["unpriced_calls"],
        # PostgreSQL's sums of integers are decimals.
        **{name: int(row[name]) for name in _COUNTS},
        input_by_modality={name: int(row[column]) for name, column in _MODALITY_COLUMNS.items()},
        estimated_cost_usd=row["cost_usd"],
    )
