"""The ledger during an outage of its database, and after a kill of its process: no row doubled, lost rows logged."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.clients.ledger import DUE_AT
from app.errors import StoreUnavailableError
from app.store.database import open_database
from app.store.ledger import LedgerTable
from app.store.ledger_records import UsageBy
from tests.servers import PostgresServer, postgres_server
from tests.unit.clients.ledgers import SOON_S, Clock, RecordedTable, ledger_on, record, written
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
FLUSH_S = 0.2


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"


@pytest.fixture
async def table(url: str) -> AsyncIterator[RecordedTable]:
    async with open_database(url) as database:
        yield RecordedTable(database)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


async def test_while_the_database_is_away_calls_wait_and_are_written_when_it_is_back(table: RecordedTable) -> None:
    table.is_away = True
    async with ledger_on(table, flush_s=SOON_S) as ledger:
        record(ledger, *range(10))
        await eventually(lambda: table.asked >= 3)

        table.is_away = False
        await eventually(lambda: sum(table.batches) == 10)

    assert await written(table) == 10


async def test_a_database_that_is_away_is_asked_once_an_interval_however_many_calls_come(table: RecordedTable) -> None:
    table.is_away = True
    async with ledger_on(table) as ledger:
        record(ledger, *range(DUE_AT))
        await eventually(lambda: table.asked == 1)

        record(ledger, *range(2_000))
        await asyncio.sleep(0.05)

        assert table.asked == 1


async def test_an_outage_is_said_once_a_minute_and_so_is_its_end(
    table: RecordedTable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.ledger")
    clock = Clock()
    async with ledger_on(table, clock=clock) as ledger:
        record(ledger, 1, 2)
        table.is_away = True
        await ledger.flush()
        await ledger.flush()
        clock.now += 60
        await ledger.flush()
        table.is_away = False
        await ledger.flush()

    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("WARNING", "the ledger cannot be written (StoreUnavailableError): 2 calls wait, 0 were dropped"),
        ("WARNING", "the ledger cannot be written (StoreUnavailableError): 2 calls wait, 0 were dropped"),
        ("INFO", "the ledger is written again"),
    ]


async def test_rows_lost_in_an_outage_at_shutdown_are_logged(
    table: RecordedTable, caplog: pytest.LogCaptureFixture
) -> None:
    table.is_away = True
    async with ledger_on(table) as ledger:
        record(ledger, 1, 2, 3)

    assert caplog.records[-1].levelname == "ERROR"
    assert (
        caplog.records[-1].getMessage()
        == "3 calls are not in the ledger: the database stayed unavailable until the end"
    )


async def test_a_database_that_does_not_answer_does_not_hold_the_end_up(
    table: RecordedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.clients.ledger.LAST_FLUSH_S", SOON_S)
    table.is_open.clear()

    async with ledger_on(table) as ledger:
        record(ledger, 1)

    assert await written(table) == 0


async def test_a_write_that_takes_too_long_is_given_up_and_tried_again(
    table: RecordedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.clients.ledger.WRITE_TIMEOUT_S", SOON_S)
    table.is_open.clear()
    async with ledger_on(table, flush_s=SOON_S) as ledger:
        record(ledger, 1)
        await eventually(lambda: table.asked >= 2)

        table.is_open.set()

    assert await written(table) == 1


async def test_a_postgresql_that_stops_and_starts_again_costs_no_call(postgres: PostgresServer) -> None:
    async with open_database(postgres.new_database()) as database:
        table = RecordedTable(database)
        async with ledger_on(table, flush_s=SOON_S) as ledger:
            record(ledger, *range(50))
            await ledger.flush()
            postgres.stop()
            record(ledger, *range(50, 600))
            asked = table.asked
            await eventually(lambda: table.asked > asked + 3)
            with pytest.raises(StoreUnavailableError):
                await ledger.usage(client_id=None, since=0, until=9e9, by=UsageBy.DAY)

            postgres.start()
            await eventually(lambda: sum(table.batches) == 600)

        assert await written(table) == 600
        assert ledger.dropped == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_killed_process_loses_at_most_the_rows_since_the_last_flush(
    kind: str, url: str, postgres: PostgresServer
) -> None:
    url = url if kind == "sqlite" else postgres.new_database()
    command = [sys.executable, "-m", "tests.unit.clients.writing", url, str(FLUSH_S)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(300)]
    process.kill()
    killed_at = time.time()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    taken_down_at = [float(line) for line in lines if line.endswith(b"\n")]

    async with open_database(url) as database:
        found = await LedgerTable(database).usage(client_id="c", since=0, until=9e9, by=UsageBy.OPERATION)

    # Each call once, and all of them up to some moment.
    numbers = sorted((int(item.key or -1), item.calls) for item in found.sums)
    assert numbers == [(number, 1) for number in range(len(numbers))]
    lost = taken_down_at[len(numbers) :]
    lost_s = killed_at - lost[0] if lost else 0.0
    # Shown by pytest -rP.
    sys.stdout.write(f"{kind}: lost {len(lost)} of {len(taken_down_at)} calls, those of the last {lost_s:.3f} s\n")
    # The room is for a machine that is busy with other things.
    assert lost_s <= FLUSH_S + 5
