from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.clients.keys import Keys
from app.store.clients import ClientStore, TokenUses
from app.store.database import Database, open_database


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
