"""The ledger's table, on SQLite and on PostgreSQL alike."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.database import Database, open_database
from app.store.ledger import MAX_SUMS, MOST, LedgerTable
from app.store.ledger_records import Entry, UsageBy, UsageSum, UsageSums
from app.store.schema import Base
from tests.servers import PostgresServer, postgres_server

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
CALL = Entry(
    at=NOON,
    client_id="cli_1",
    client_name="web",
    surface="rest",
    operation="generate",
    outcome="stop",
    status=200,
    total_ms=812.5,
    first_byte_ms=301.0,
    model="gemini-3.8-flash",
    input_tokens=1_000,
    output_tokens=100,
    thinking_tokens=50,
    cached_tokens=400,
    input_by_modality={"text": 10, "image": 990},
    bytes_in=5_000,
    bytes_out=600,
    cost_usd=0.25,
    metadata='{"page": 3}',
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    return postgres.new_database()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as database:
        yield database


@pytest.fixture
def table(database: Database) -> LedgerTable:
    return LedgerTable(database)


async def written(table: LedgerTable, *entries: Entry, writer: str = "one") -> None:
    await table.add([table.row(writer, number, entry) for number, entry in enumerate(entries)])


async def usage(
    table: LedgerTable,
    by: UsageBy = UsageBy.DAY,
    *,
    client_id: str | None = None,
    since: float = 0,
    until: float = NOON + 400 * DAY,
) -> UsageSums:
    return await table.usage(client_id=client_id, since=since, until=until, by=by)


async def keys(
    table: LedgerTable, by: UsageBy = UsageBy.DAY, *, since: float = 0, until: float = NOON + 400 * DAY
) -> list[tuple[str | None, int]]:
    return [(found.key, found.calls) for found in (await usage(table, by, since=since, until=until)).sums]


async def test_the_migrations_create_the_declared_schema_on_both_databases(url: str) -> None:
    async with open_database(url):
        pass

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(
                MigrationContext.configure(plain, opts={"compare_type": True, "compare_server_default": True}),
                Base.metadata,
            )
        )
    await engine.dispose()
    assert differences == []


async def test_a_call_is_one_ledger_row_with_all_known_facts(database: Database, table: LedgerTable) -> None:
    await written(table, CALL)

    async with database.transaction() as session:
        row = dict((await session.execute(text("SELECT * FROM ledger"))).mappings().one())
    assert str(row.pop("day")) == "2026-11-25"
    assert row == {
        "writer": "one",
        "number": 0,
        "at": NOON,
        "client_id": "cli_1",
        "client_name": "web",
        "surface": "rest",
        "operation": "generate",
        "model": "gemini-3.8-flash",
        "outcome": "stop",
        "status": 200,
        "input_tokens": 1_000,
        "output_tokens": 100,
        "thinking_tokens": 50,
        "cached_tokens": 400,
        "input_text": 10,
        "input_image": 990,
        "input_audio": 0,
        "input_video": 0,
        "input_document": 0,
        "bytes_in": 5_000,
        "bytes_out": 600,
        "first_byte_ms": 301.0,
        "total_ms": 812.5,
        "cost_usd": 0.25,
        "metadata": '{"page": 3}',
    }


async def test_calls_are_summed(table: LedgerTable) -> None:
    refused = Entry(
        at=NOON + 5,
        client_id="cli_1",
        client_name="web",
        surface="rest",
        operation="generate",
        outcome="rate-limited",
        status=429,
        total_ms=1,
    )
    await written(table, CALL, replace(CALL, at=NOON + 1), replace(CALL, at=NOON + 2, cost_usd=None), refused)

    assert await usage(table) == UsageSums(
        sums=(
            UsageSum(
                key="2026-11-25",
                name=None,
                calls=4,
                failed_calls=1,
                unpriced_calls=1,
                input_tokens=3_000,
                output_tokens=300,
                thinking_tokens=150,
                cached_tokens=1_200,
                input_by_modality={"text": 30, "image": 2_970, "audio": 0, "video": 0, "document": 0},
                bytes_in=15_000,
                bytes_out=1_800,
                estimated_cost_usd=0.5,
            ),
        ),
        has_more=False,
    )


async def test_the_cost_of_calls_without_a_price_is_not_known_rather_than_nothing(table: LedgerTable) -> None:
    await written(table, replace(CALL, cost_usd=None))

    [found] = (await usage(table)).sums

    assert (found.estimated_cost_usd, found.unpriced_calls) == (None, 1)


async def test_nothing_is_a_report_without_sums(table: LedgerTable) -> None:
    assert await usage(table) == UsageSums((), has_more=False)


async def test_days_are_those_of_utc_and_come_newest_first(table: LedgerTable) -> None:
    midnight = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
    moments = (midnight - 0.001, midnight, midnight + DAY)
    await written(table, *(replace(CALL, at=moment) for moment in moments))

    assert await keys(table) == [("2026-11-27", 1), ("2026-11-26", 1), ("2026-11-25", 1)]


async def test_since_is_in_the_period_and_until_is_not(table: LedgerTable) -> None:
    await written(table, *(replace(CALL, at=NOON + second) for second in range(4)))

    assert await keys(table, since=NOON + 1, until=NOON + 3) == [("2026-11-25", 2)]
    assert await keys(table, since=NOON + 4) == []


async def test_models_and_operations_come_by_their_tokens(table: LedgerTable) -> None:
    calls = (
        replace(CALL, model="small", operation="generate", input_tokens=5),
        replace(CALL, model="large", operation="captionImage", input_tokens=9_000),
        replace(CALL, model=None, operation="uploadFile", input_tokens=0, output_tokens=0, thinking_tokens=0),
    )
    await written(table, *calls)

    assert await keys(table, UsageBy.MODEL) == [("large", 1), ("small", 1), (None, 1)]
    assert await keys(table, UsageBy.OPERATION) == [("captionImage", 1), ("generate", 1), ("uploadFile", 1)]


async def test_clients_have_their_names_beside_their_ids(table: LedgerTable) -> None:
    await written(table, CALL, CALL, replace(CALL, client_id="cli_2", client_name="phone"))

    found = (await usage(table, UsageBy.CLIENT)).sums

    assert [(item.key, item.name, item.calls) for item in found] == [("cli_1", "web", 2), ("cli_2", "phone", 1)]


async def test_a_client_sees_its_own_calls_alone(table: LedgerTable) -> None:
    await written(table, CALL, replace(CALL, client_id="cli_12"), replace(CALL, client_id="CLI_1"))

    assert [item.calls for item in (await usage(table, client_id="cli_1")).sums] == [1]
    assert (await usage(table, client_id="cli_")).sums == ()
    assert (await usage(table, client_id="cli_%")).sums == ()


async def test_a_ledger_batch_written_twice_is_stored_once(table: LedgerTable) -> None:
    await written(table, CALL, CALL)

    await written(table, CALL, CALL, CALL)
    await written(table, CALL, writer="another")

    assert await keys(table) == [("2026-11-25", 4)]


async def test_a_report_is_bounded_and_says_so(table: LedgerTable) -> None:
    await written(table, *(replace(CALL, model=f"m{number}") for number in range(MAX_SUMS + 1)))

    report = await usage(table, UsageBy.MODEL)

    assert (len(report.sums), report.has_more) == (MAX_SUMS, True)


async def test_old_calls_are_deleted_in_portions(table: LedgerTable) -> None:
    await written(table, *(replace(CALL, at=NOON + second) for second in range(10)))

    gone = [await table.delete_before(NOON + 7, limit=5) for _ in range(3)]

    assert gone == [5, 2, 0]
    assert await keys(table) == [("2026-11-25", 3)]


ANY_TEXT = st.text(st.characters(), max_size=300)
ANY_COUNT = st.integers() | st.integers(max_value=2**70, min_value=2**62)
ANY_ENTRY = st.builds(
    Entry,
    at=st.floats(0, 4e9),
    client_id=ANY_TEXT,
    client_name=ANY_TEXT,
    surface=st.sampled_from(["rest", "openai", "native"]),
    operation=ANY_TEXT,
    outcome=ANY_TEXT,
    status=st.integers(100, 599),
    total_ms=st.floats(),
    first_byte_ms=st.none() | st.floats(),
    model=st.none() | ANY_TEXT,
    input_tokens=ANY_COUNT,
    output_tokens=ANY_COUNT,
    thinking_tokens=ANY_COUNT,
    cached_tokens=ANY_COUNT,
    input_by_modality=st.dictionaries(st.sampled_from(["text", "image", "smell", ""]) | ANY_TEXT, ANY_COUNT),
    bytes_in=ANY_COUNT,
    bytes_out=ANY_COUNT,
    cost_usd=st.none() | st.floats(),
    metadata=st.none() | ANY_TEXT,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ANY_ENTRY, min_size=1, max_size=20))
async def test_every_kind_of_call_can_be_written_and_summed(table: LedgerTable, entries: list[Entry]) -> None:
    await table.delete_before(float("inf"), limit=1_000)

    await written(table, *entries)

    for by in UsageBy:
        report = await usage(table, by, until=5e9)
        assert sum(found.calls for found in report.sums) == len(entries)
        assert all(0 <= (found.estimated_cost_usd or 0) <= MOST * len(entries) for found in report.sums)
        assert all(0 <= found.input_tokens <= MOST * len(entries) for found in report.sums)
