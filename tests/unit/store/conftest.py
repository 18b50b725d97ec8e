from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.store.database import Database, open_database
from app.store.file_retention import FileRetention
from app.store.file_room import FileRoom
from app.store.files import FileRegistry
from tests.stores import database_url


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_url(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as database:
        yield database


@pytest.fixture
def registry(database: Database) -> FileRegistry:
    return FileRegistry(database)


@pytest.fixture
def room(database: Database) -> FileRoom:
    return FileRoom(database)


@pytest.fixture
def retention(database: Database) -> FileRetention:
    return FileRetention(database)
