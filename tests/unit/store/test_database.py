import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.errors import StoreUnavailableError
from app.store.database import Database, open_database
from app.store.files import FileRegistry
from app.store.schema import Base, FileRow
from tests.unit.store.uploading import NOW, begun, held, ids, page, uploaded


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return a SQLite URL also if other tests run on PostgreSQL: these tests are about SQLite's file."""
    return f"sqlite+aiosqlite:///{tmp_path}/gateway.db"


ROOT = Path(__file__).parents[3]


async def test_the_migrations_create_the_declared_schema(url: str, tmp_path: Path) -> None:
    async with open_database(url):
        pass

    engine = create_engine(f"sqlite:///{tmp_path}/gateway.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()

    assert differences == []


async def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path}/a/b/gateway.db") as database:
        await begun(FileRegistry(database), "u")

    assert (tmp_path / "a" / "b" / "gateway.db").is_file()


async def test_a_database_that_is_opened_again_is_as_it_was_left(url: str) -> None:
    async with open_database(url) as database:
        await uploaded(FileRegistry(database), "u")
        await held(FileRegistry(database), "f", "u")

    async with open_database(url) as database:
        assert ids(await page(FileRegistry(database))) == ["f"]


async def test_a_migration_that_was_cut_short_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    # Another program's table makes the second statement of the migration fail.
    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        connection.execute("CREATE TABLE files (id)")
    connection.close()

    with pytest.raises(OperationalError):
        async with open_database(url):
            pass

    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        connection.execute("DROP TABLE files")
    connection.close()
    assert tables == {"files"}
    async with open_database(url) as database:
        await begun(FileRegistry(database), "u")


async def test_two_processes_that_start_at_once_migrate_one_after_the_other(url: str) -> None:
    script = (
        "import asyncio, sys\n"
        "from app.store.database import open_database\n"
        "from app.store.files import FileRegistry\n"
        "from tests.unit.store.uploading import begun\n"
        "async def start(url, name):\n"
        "    async with open_database(url) as database:\n"
        "        await begun(FileRegistry(database), name)\n"
        "asyncio.run(start(*sys.argv[1:]))\n"
    )

    async def start(name: str) -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, url, name, cwd=ROOT)
        return await process.wait()

    ended = await asyncio.gather(*(start(f"u{number}") for number in range(3)))

    async with open_database(url) as database:
        found = [await FileRegistry(database).get(f"u{number}") for number in range(3)]
    assert ended == [0, 0, 0]
    assert all(found)


async def test_two_engines_on_one_file_lose_nothing(url: str) -> None:
    async with open_database(url) as one, open_database(url) as other:
        registries = [FileRegistry(one), FileRegistry(other)]
        await uploaded(registries[0], "u")

        async def work(number: int) -> None:
            registry = registries[number % 2]
            await uploaded(registry, f"u{number}")
            await held(registry, f"f{number:02}", "u")
            await registry.touch("u", now=NOW + number)
            await registry.delete_file("me", f"f{number:02}", now=NOW, lease_until=NOW)
            await held(registry, f"g{number:02}", f"u{number}")

        await asyncio.gather(*(work(number) for number in range(20)))

        assert ids(await page(registries[0])) == [f"g{number:02}" for number in reversed(range(20))]
        assert ids(await page(registries[1])) == ids(await page(registries[0]))


async def test_a_failed_transaction_is_rolled_back(database: Database) -> None:
    registry = FileRegistry(database)
    await begun(registry, "u")

    async def fail_half_way() -> None:
        async with database.transaction() as session:
            await session.execute(text("DELETE FROM uploads"))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail_half_way()

    assert await registry.get("u") is not None


async def test_work_in_one_go_is_committed_or_undone_as_a_whole(database: Database) -> None:
    registry = FileRegistry(database)
    await begun(registry, "u")

    def rename(connection: Connection) -> int:
        return connection.execute(text("UPDATE uploads SET name = 'v'")).rowcount

    def fail_half_way(connection: Connection) -> None:
        connection.execute(text("DELETE FROM uploads"))
        raise ValueError("stop")

    changed = await database.run(rename)
    with pytest.raises(ValueError, match="stop"):
        await database.run(fail_half_way)

    assert changed == 1
    assert await registry.get("v") is not None


async def test_work_in_one_go_is_carried_through_when_its_caller_has_gone(database: Database) -> None:
    registry = FileRegistry(database)
    await begun(registry, "u")
    began, may_end = threading.Event(), threading.Event()

    def rename(connection: Connection) -> None:
        began.set()
        may_end.wait(10)
        connection.execute(text("UPDATE uploads SET name = 'v'"))

    work = asyncio.ensure_future(database.run(rename))
    await asyncio.to_thread(began.wait, 10)
    work.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    await database.run(lambda _: None)

    assert await registry.get("v") is not None


async def test_a_transaction_fails_when_the_database_is_away(database: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await database.run(lambda connection: connection.execute(text("SELECT * FROM no_such_table")))


async def test_a_database_in_memory_is_one_and_the_same_for_all_work() -> None:
    async with open_database("sqlite+aiosqlite:///:memory:") as database:
        await begun(FileRegistry(database), "u")

        assert await database.run(lambda connection: connection.scalar(text("SELECT name FROM uploads"))) == "u"


async def test_an_id_cannot_stand_for_an_upload_that_does_not_exist(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            session.add(FileRow(id="f", owner="me", upload_name="none", origin="sent", created_at=NOW))


async def test_a_database_that_is_away_is_said_to_be(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        async with database.transaction() as session:
            await session.execute(text("SELECT * FROM no_such_table"))

    assert (caught.value.status, caught.value.retryable) == (503, True)
    assert str(tmp_path) not in caught.value.detail


async def test_readers_do_not_wait_for_a_writer(url: str, database: Database, tmp_path: Path) -> None:
    registry = FileRegistry(database)
    await begun(registry, "u")
    writer = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM uploads")

    seen = await registry.get("u")

    writer.execute("ROLLBACK")
    writer.close()
    assert seen is not None


def _fail(connection: Connection) -> None:
    connection.execute(text("INSERT INTO worked VALUES (1), (1)"))


def _give_up(connection: Connection) -> None:
    connection.execute(text("INSERT INTO worked VALUES (1)"))
    raise ValueError


def _take_back(connection: Connection) -> None:
    connection.execute(text("INSERT INTO worked VALUES (1)"))
    connection.rollback()


async def test_failed_work_leaves_nothing_and_the_next_work_runs(url: str) -> None:
    async with open_database(url) as database:
        await database.run(lambda connection: connection.execute(text("CREATE TABLE worked (number INT PRIMARY KEY)")))
        for work, error in ((_fail, IntegrityError), (_give_up, ValueError)):
            with pytest.raises(error):
                await database.run(work)
        await database.run(_take_back)
        await database.run(lambda connection: connection.execute(text("INSERT INTO worked VALUES (2)")))

        found = await database.run(lambda connection: connection.execute(text("SELECT number FROM worked")).all())
    assert [tuple(row) for row in found] == [(2,)]
