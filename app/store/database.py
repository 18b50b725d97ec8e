"""The database: opened and migrated at start, closed at the end. Outages become `StoreUnavailableError`.

SQLite's asyncio driver passes every step to a thread and back. Writes of every call use `run`, which passes a whole
transaction to the thread.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import StoreUnavailableError
from app.store.private_files import make_private_database, sqlite_file

# The advisory lock under which replicas on PostgreSQL migrate one after the other.
MIGRATION_LOCK = 0x67656D67


def _pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    else:
        # The driver begins no transaction for DDL, so an interrupted migration would leave half its tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


T = TypeVar("T")


@contextmanager
def _saying_outages() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, OSError) as error:
        raise StoreUnavailableError("The gateway's database did not answer; try again in a moment.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailableError("The gateway's database went away; try again in a moment.") from error
        raise


class _SqliteThread:
    """SQLite's own thread with its single connection."""

    # Opening a connection costs as much as a statement.

    def __init__(self, engine: Engine, executor: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._executor = executor
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._in_transaction, work)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        connection = self._connection = self._connection or self._engine.connect()
        try:
            with connection.begin():
                return work(connection)
        except DBAPIError:
            # In any state.
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close the connection after the running work."""
        self._executor.submit(self._close)
        self._executor.submit(self._engine.dispose)


class Database:
    """An engine and its sessions; `thread` is SQLite's own, None for PostgreSQL."""

    def __init__(self, engine: AsyncEngine, thread: _SqliteThread | None = None) -> None:
        self._engine = engine
        self._thread = thread
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite, not PostgreSQL."""
        return self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Yield a session that is committed at the end; raises StoreUnavailableError if the database is unavailable."""
        with _saying_outages():
            async with self._sessions.begin() as session:
                yield session

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; raises StoreUnavailableError if the database is unavailable.

        With SQLite, work runs in a thread, one at a time, and to its end even if the caller is cancelled.
        """
        with _saying_outages():
            if self._thread is None:
                async with self._engine.begin() as connection:
                    return await connection.run_sync(work)
            return await self._thread.run(work)


@contextmanager
def _thread_for(url: URL) -> Iterator[_SqliteThread | None]:
    if url.get_backend_name() != "sqlite" or sqlite_file(url.database) is None:
        yield None
        return
    engine = create_engine(url.set(drivername="sqlite"))
    event.listen(engine, "connect", _pragmas)
    with ThreadPoolExecutor(1, "sqlite") as executor:
        thread = _SqliteThread(engine, executor)
        yield thread
        thread.close()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open the database at `url`, create its file (SQLite) and tables, and close it at the end."""
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    path = sqlite_file(parsed.database) if is_sqlite else None
    if path is not None:
        make_private_database(path)
    engine = create_async_engine(url, pool_pre_ping=not is_sqlite)
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _pragmas)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
        with _thread_for(parsed) as thread:
            yield Database(engine, thread)
    finally:
        await engine.dispose()
