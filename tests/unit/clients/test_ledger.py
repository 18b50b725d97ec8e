"""The ledger: calls are recorded without waiting, written in batches, summed, and deleted when they are old."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.clients.ledger import DUE_AT
from app.store.database import open_database
from app.store.ledger import Row
from app.store.ledger_records import UsageBy
from tests.unit.clients.ledgers import SOON_S, Clock, RecordedTable, ledger_on, record, written
from tests.waiting import eventually


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"


@pytest.fixture
async def table(url: str) -> AsyncIterator[RecordedTable]:
    async with open_database(url) as database:
        yield RecordedTable(database)


async def test_a_call_is_written_when_the_interval_is_over(table: RecordedTable) -> None:
    async with ledger_on(table, flush_s=SOON_S) as ledger:
        record(ledger, 1)

        await eventually(lambda: bool(table.batches))

    assert table.batches == [1]


async def test_nothing_is_written_before_the_interval_is_over(table: RecordedTable) -> None:
    async with ledger_on(table) as ledger:
        record(ledger, *range(499))
        await asyncio.sleep(0)

        assert table.asked == 0


async def test_many_calls_do_not_wait_for_the_interval(table: RecordedTable) -> None:
    async with ledger_on(table) as ledger:
        record(ledger, *range(DUE_AT))

        await eventually(lambda: sum(table.batches) == DUE_AT)

    assert table.batches == [DUE_AT]


async def test_calls_that_come_while_many_are_written_are_no_reason_to_write_again_at_once(
    table: RecordedTable,
) -> None:
    table.is_open.clear()
    async with ledger_on(table) as ledger:
        record(ledger, *range(DUE_AT))
        await eventually(lambda: table.asked == 1)

        record(ledger, *range(10))
        table.is_open.set()
        await eventually(lambda: table.batches == [DUE_AT])
        await asyncio.sleep(SOON_S)

        assert table.asked == 1

    assert table.batches == [DUE_AT, 10]


async def test_as_many_that_come_while_many_are_written_do_not_wait_either(table: RecordedTable) -> None:
    table.is_open.clear()
    async with ledger_on(table, capacity=2 * DUE_AT) as ledger:
        record(ledger, *range(DUE_AT))
        await eventually(lambda: table.asked == 1)

        record(ledger, *range(DUE_AT))
        table.is_open.set()

        await eventually(lambda: table.batches == [DUE_AT, DUE_AT])


async def test_entries_that_come_during_the_last_flush_are_written(
    table: RecordedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = table.add
    async with ledger_on(table) as ledger:

        async def with_another(rows: Sequence[Row]) -> None:
            if table.asked < 3:
                record(ledger, 2)
            await add(rows)

        monkeypatch.setattr(table, "add", with_another)
        record(ledger, 1)

    assert table.batches == [1] * 4


async def test_waiting_entries_are_written_at_shutdown(table: RecordedTable) -> None:
    async with ledger_on(table) as ledger:
        record(ledger, *range(250))

    assert await written(table) == 250


async def test_a_call_that_comes_while_others_are_written_waits_for_the_next_time(table: RecordedTable) -> None:
    table.is_open.clear()
    async with ledger_on(table) as ledger:
        record(ledger, 1)
        flushing = asyncio.create_task(ledger.flush())
        await eventually(lambda: table.asked == 1)

        record(ledger, 2)
        table.is_open.set()
        await flushing

        # Where calls never cease, to write what has come meanwhile would never end.
        assert table.batches == [1]

    assert table.batches == [1, 1]


async def test_a_call_that_finds_the_queue_full_is_dropped_and_counted(table: RecordedTable) -> None:
    async with ledger_on(table, capacity=3) as ledger:
        record(ledger, *range(5))

        assert ledger.dropped == 2

    assert await written(table) == 3


async def test_dropped_rows_are_logged_once_a_minute(table: RecordedTable, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.ledger")
    clock = Clock()
    async with ledger_on(table, capacity=3, clock=clock) as ledger:
        for _ in range(3):
            record(ledger, *range(5))
            await ledger.flush()
        clock.now += 60
        await ledger.flush()

    assert [line.getMessage() for line in caplog.records] == [
        "the ledger was written too slowly: 0 calls wait, 2 were dropped",
        "the ledger was written too slowly: 0 calls wait, 4 were dropped",
    ]


async def test_a_ledger_batch_with_an_unseen_commit_is_stored_once(table: RecordedTable) -> None:
    table.loses_acknowledgement = True
    async with ledger_on(table) as ledger:
        record(ledger, 1, 2)
        await ledger.flush()
        table.loses_acknowledgement = False
        record(ledger, 3)

    assert table.batches == [2, 3]
    assert await written(table) == 3


async def test_two_ledgers_on_one_database_lose_nothing(table: RecordedTable) -> None:
    async with ledger_on(table, flush_s=SOON_S) as one, ledger_on(table, flush_s=SOON_S) as other:
        record(one, *range(700))
        record(other, *range(700))

    assert await written(table) == 1_400


async def test_a_report_has_the_calls_that_have_just_ended(table: RecordedTable) -> None:
    async with ledger_on(table) as ledger:
        record(ledger, 1, 2)

        report = await ledger.usage(client_id="c", since=0, until=9e9, by=UsageBy.CLIENT)

    assert [found.calls for found in report.sums] == [2]


async def test_a_report_does_not_ask_a_database_that_is_away_to_write_first(table: RecordedTable) -> None:
    async with ledger_on(table) as ledger:
        record(ledger, 1)
        table.is_away = True
        await ledger.flush()

        await ledger.usage(client_id="c", since=0, until=9e9, by=UsageBy.CLIENT)

        assert table.asked == 1


async def test_calls_go_when_their_days_are_over(table: RecordedTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.clients.ledger.DELETED_AT_ONCE", 2)
    now = time.time()
    async with ledger_on(table) as ledger:
        record(ledger, *range(5))
        await ledger.flush()
        await ledger.forget_old(now + 2 * 86_400 - 60)
        assert await written(table) == 5

        await ledger.forget_old(now + 2 * 86_400 + 60)
        assert await written(table) == 0
