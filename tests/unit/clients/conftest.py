from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.clients.keys import Keys
from app.store.clients import ClientStore, TokenUses
from app.store.database import Database, open_database
from tests.servers import PostgresServer, ValkeyServer, postgres_server, valkey_server
from tests.unit.clients.clock import Clock


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def running_valkey() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def valkey(running_valkey: ValkeyServer) -> ValkeyServer:
    running_valkey.clear()
    return running_valkey


@pytest.fixture(params=["memory", "redis"])
def redis_url(request: pytest.FixtureRequest) -> str | None:
    """Where counters are: in memory, or in a real server."""
    return None if request.param == "memory" else str(request.getfixturevalue("valkey").url)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database of the test's own, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    else:
        yield request.getfixturevalue("postgres").new_database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path}/gateway.db") as database:
        yield database


@pytest.fixture
def store(database: Database) -> ClientStore:
    return ClientStore(database)


@pytest.fixture
def uses(database: Database) -> TokenUses:
    return TokenUses(database)


@pytest.fixture
def keys(store: ClientStore) -> Keys:
    return Keys(store)
