"""Listings that call Gemini for each object count against the rate of requests, by their number of objects."""

import time
from functools import partial
from pathlib import Path

import pytest

from app import main
from app.clients.admission import open_admission
from app.clients.identity import Limits
from app.store.database import open_database
from app.store.resources import Resource, ResourceKind, ResourceRegistry
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.stores import change, database_url, selected

LISTINGS = [
    pytest.param("batches", ResourceKind.BATCH, "batches.get", id="batches"),
    pytest.param("cachedContents", ResourceKind.CACHE, "caches.get", id="caches"),
]


@pytest.fixture
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no minute end while a test runs."""
    monkeypatch.setattr(main, "open_admission", partial(open_admission, clock=lambda: 18.0))


async def add(folder: Path, kind: ResourceKind, count: int) -> None:
    """Record objects as the client's that is in the database."""
    [(owner,)] = await selected(folder, "SELECT id FROM clients")
    now = time.time()
    async with open_database(database_url(folder)) as database:
        registry = ResourceRegistry(database)
        for number in range(count):
            await registry.add(Resource(kind, f"{kind}{number}", owner, created_at=now, expires_at=now + 3_600))


async def listed(closed: Closed, key: str, path: str) -> tuple[int, str]:
    answer = await closed.call("GET", f"/v1beta/{path}", key)
    return answer.status_code, answer.headers.get("ratelimit", "").partition(";t=")[0]


@pytest.mark.usefixtures("_one_minute")
@pytest.mark.parametrize(("collection", "kind", "operation"), LISTINGS)
async def test_a_listing_counts_as_one_request_for_ten_objects(
    emulator: Emulator, tmp_path: Path, collection: str, kind: ResourceKind, operation: str
) -> None:
    async with closed_gateway(emulator, tmp_path) as closed:
        key = await closed.key("web", limits=Limits(requests_per_minute=4))
        empty = await listed(closed, key, collection)
        await add(tmp_path, kind, 31)
        first = await listed(closed, key, f"{collection}?pageSize=11")
        # The emulator has none of the objects, so the first page is forgotten.
        second = await listed(closed, key, f"{collection}?pageSize=20")
        asked = len(emulator.requests(operation))
        await add(tmp_path, kind, 1)
        refused = await listed(closed, key, collection)

    assert empty == (200, "")
    assert first == (200, '"requests";r=2')
    assert second == (200, '"requests";r=0')
    assert refused[0] == 429
    assert asked == 31
    assert len(emulator.requests(operation)) == asked


@pytest.mark.usefixtures("_one_minute")
async def test_a_listing_larger_than_a_minute_takes_the_whole_minute(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as closed:
        key = await closed.key("web", limits=Limits(requests_per_minute=2, concurrent_requests=1))
        await add(tmp_path, ResourceKind.BATCH, 40)

        assert await listed(closed, key, "batches?pageSize=40") == (200, '"requests";r=0')


@pytest.mark.usefixtures("_one_minute")
async def test_of_a_list_of_files_those_that_may_change_count(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as closed:
        key = await closed.key("web", limits=Limits(requests_per_minute=1))
        headers = {"x-goog-upload-protocol": "raw", "content-type": "text/plain"}
        await closed.call("POST", "/upload/v1beta/files", key, content=b"text", headers=headers)
        settled = [await listed(closed, key, "files") for _ in range(2)]
        await change(tmp_path, "UPDATE uploads SET state = 'processing'")
        processing = [await listed(closed, key, "files")]
        await change(tmp_path, "UPDATE uploads SET state = 'processing'")
        processing.append(await listed(closed, key, "files"))

    assert settled == [(200, "")] * 2
    assert processing[0] == (200, '"requests";r=0')
    assert processing[1][0] == 429


@pytest.mark.usefixtures("_one_minute")
async def test_a_client_without_limits_lists_uncounted(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as closed:
        key = await closed.key("web")
        await add(tmp_path, ResourceKind.BATCH, 20)

        assert await listed(closed, key, "batches?pageSize=20") == (200, "")
