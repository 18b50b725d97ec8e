"""The registry of caches, batches and interactions, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.store.database import open_database
from app.store.resources import Resource, ResourceKind, ResourceRegistry
from tests.servers import PostgresServer, postgres_server

NOW = 1_000_000.0
CACHE = Resource(ResourceKind.CACHE, "c1", "ada", NOW, NOW + 300, "gemini-3.8-flash", tokens=40, call="call-1")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def registry(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer
) -> AsyncIterator[ResourceRegistry]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path}/gateway.db" if is_sqlite else postgres.new_database()
    async with open_database(url) as database:
        yield ResourceRegistry(database)


async def test_a_resource_is_found_by_its_owner_alone(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)

    assert await registry.owned("ada", [CACHE.key], now=NOW) == {CACHE.key: CACHE}
    assert await registry.owned("bob", [CACHE.key], now=NOW) == {}
    assert await registry.owned("ada", [(ResourceKind.BATCH, "c1")], now=NOW) == {}


async def test_an_expired_resource_is_not_found_and_is_forgotten_later(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)

    assert await registry.owned("ada", [CACHE.key], now=NOW + 300) == {}
    await registry.set_expiry(CACHE.key, NOW + 900)
    assert CACHE.key in await registry.owned("ada", [CACHE.key], now=NOW + 300)
    await registry.forget_expired(NOW + 900)
    assert CACHE.key in await registry.owned("ada", [CACHE.key], now=NOW)
    await registry.forget_expired(NOW + 901)
    assert await registry.owned("ada", [CACHE.key], now=NOW) == {}


async def test_a_name_that_is_taken_stays_its_owners(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)
    await registry.add(replace(CACHE, owner="bob"))

    assert await registry.owned("bob", [CACHE.key], now=NOW) == {}
    assert CACHE.key in await registry.owned("ada", [CACHE.key], now=NOW)


async def test_pages_hold_only_the_owners_newest_first(registry: ResourceRegistry) -> None:
    for number in range(5):
        await registry.add(replace(CACHE, name=f"c{number}", created_at=NOW + number // 2))
    await registry.add(replace(CACHE, name="other", owner="bob", created_at=NOW + 9))
    await registry.add(replace(CACHE, name="batch", kind=ResourceKind.BATCH))

    first = await registry.page("ada", ResourceKind.CACHE, limit=3, after=None, now=NOW)
    second = await registry.page("ada", ResourceKind.CACHE, limit=3, after="c2", now=NOW)

    assert ([resource.name for resource in first.resources], first.has_more) == (["c4", "c3", "c2"], True)
    assert ([resource.name for resource in second.resources], second.has_more) == (["c1", "c0"], False)


async def test_a_page_after_another_owners_file_is_empty(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)
    await registry.add(replace(CACHE, name="c2", owner="bob", created_at=NOW + 1))

    page = await registry.page("ada", ResourceKind.CACHE, limit=10, after="c2", now=NOW)

    assert (page.resources, page.has_more) == ((), False)


async def test_a_deferred_cost_is_booked_once(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)

    taken = await asyncio.gather(*[registry.take_call(CACHE.key) for _ in range(8)])

    assert sorted(taken, key=str) == [None] * 7 + ["call-1"]


async def test_removed_objects_are_not_found(registry: ResourceRegistry) -> None:
    await registry.add(CACHE)
    await registry.remove(CACHE.key)

    assert await registry.owned("ada", [CACHE.key], now=NOW) == {}
