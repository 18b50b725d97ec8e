"""The stores of the tests' gateways: a file and their own memory, or PostgreSQL and Valkey.

`pytest --stores servers` is the second: servers that start with the first gateway and stop with the tests. What a
gateway has belongs to its folder; another gateway of the same folder finds it again.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers import PostgresServer, ValkeyServer, postgres_server, valkey_server

SECRET_KEY = "the-same-on-every-replica-of-the-tests"


class Stores(Protocol):
    """Names the stores of the gateways, by their folders."""

    def settings(self, folder: Path) -> dict[str, str]:
        """Return the settings that name the stores of a folder's gateways."""


class FileStores:
    """A file of SQLite's in the folder, and nothing that counts for many."""

    def settings(self, folder: Path) -> dict[str, str]:
        """Return the settings that name the stores of a folder's gateways."""
        return {"database_url": f"sqlite+aiosqlite:///{folder}/gateway.db"}


@dataclass(slots=True)
class ServerStores:
    """A database of PostgreSQL's and one of Valkey's for each folder."""

    postgres: PostgresServer
    valkey: ValkeyServer
    _numbers: "count[int]" = field(default_factory=count)
    _settings: dict[Path, dict[str, str]] = field(default_factory=dict)

    def settings(self, folder: Path) -> dict[str, str]:
        """Return the settings of these stores, and the secret that replicas share."""
        if folder not in self._settings:
            self._settings[folder] = {
                "database_url": self.postgres.new_database(),
                "redis_url": f"{self.valkey.url}?db={next(self._numbers)}",
                "secret_key": SECRET_KEY,
            }
        return self._settings[folder]


class _Chosen:
    """The stores chosen on the command line."""

    def __init__(self) -> None:
        self.is_servers = False
        self._stack = ExitStack()
        self._stores: Stores | None = None

    def stores(self) -> Stores:
        if self._stores is None:
            self._stores = self._servers() if self.is_servers else FileStores()
        return self._stores

    def _servers(self) -> ServerStores:
        postgres = self._stack.enter_context(postgres_server())
        return ServerStores(postgres, self._stack.enter_context(valkey_server()))

    def close(self) -> None:
        self._stores = None
        self._stack.close()


chosen = _Chosen()


def database_url(folder: Path) -> str:
    """Return the DATABASE_URL of the gateways of a folder."""
    return store_settings(folder)["database_url"]


def store_settings(folder: Path) -> dict[str, str]:
    """Return the settings of the stores of a folder's gateways, by their fields."""
    return chosen.stores().settings(folder)


def store_environment(folder: Path) -> dict[str, str]:
    """Return the settings as environment variables."""
    return {name.upper(): value for name, value in store_settings(folder).items()}


async def change(folder: Path, *statements: str) -> None:
    """Change the stored data, unknown to the gateway."""
    engine = create_async_engine(database_url(folder))
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def selected(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds in the gateway's database."""
    engine = create_async_engine(database_url(folder))
    async with engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(text(query))]
    await engine.dispose()
    return rows


@asynccontextmanager
async def database_away(folder: Path) -> AsyncIterator[None]:
    """Run a block in which the database does not answer: its server is stopped, or the file's tables are hidden."""
    stores = chosen.stores()
    if isinstance(stores, ServerStores):
        stores.postgres.stop()
        try:
            yield
        finally:
            stores.postgres.start()
        return
    await change(folder, "ALTER TABLE files RENAME TO hidden")
    try:
        yield
    finally:
        await change(folder, "ALTER TABLE hidden RENAME TO files")
