"""Three processes that share PostgreSQL and Valkey are one gateway: its limits, its files, its keys."""

import asyncio
import hashlib
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from yarl import URL

from app.clients.counters import LEASE_S as CALL_LEASE_S
from app.media.file_service import LEASE_S as UPLOAD_LEASE_S
from app.native.uploads.leases import LEASE_S as WRITING_LEASE_S
from tests.emulator_process import Emulator
from tests.integration.api.test_inline_or_upload import sound
from tests.raw_http import BOUNDARY, part
from tests.replicas import Cluster, Replica
from tests.servers import PostgresServer, ValkeyServer
from tests.waiting import eventually, eventually_is

GENERATE = "/api/v1/generate"
FIRST_KEY = re.compile(r"^gg_\S+$", re.MULTILINE)


@asynccontextmanager
async def client_of(replica: Replica, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=replica.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


async def ask(client: httpx.AsyncClient, prompt: str = "Hello") -> httpx.Response:
    return await client.post(GENERATE, files=[("prompt", (None, prompt))])


async def test_exactly_a_minutes_requests_are_admitted_by_all_replicas_together(shared: Cluster) -> None:
    key = shared.key("web", "--requests-per-minute", "20")
    replicas = shared.start(3)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(replica, key)) for replica in replicas]

        async def call_in_turn(first: int) -> list[int]:
            return [(await ask(clients[(first + turn) % 3])).status_code for turn in range(6)]

        counted = []
        for _ in range(2):
            statuses = await asyncio.gather(*(call_in_turn(caller) for caller in range(8)))
            counted.append(Counter(status for of_caller in statuses for status in of_caller))
            shared.advance(60)

    assert counted == [{200: 20, 429: 28}] * 2


async def test_replicas_that_start_at_the_same_time_migrate_once_and_make_one_first_key(shared: Cluster) -> None:
    replicas = shared.start(3)

    keys = [key for replica in replicas for key in FIRST_KEY.findall(replica.log)]

    assert len(keys) == 1
    for replica in replicas:
        async with client_of(replica, keys[0]) as client:
            assert (await ask(client)).status_code == 200


async def test_a_revoked_key_ends_on_every_replica(shared: Cluster) -> None:
    key = shared.key("web")
    replicas = shared.start(2)
    async with client_of(replicas[0], key) as one, client_of(replicas[1], key) as two:
        assert [(await ask(client)).status_code for client in (one, two)] == [200, 200]
        shared.keys_command("revoke", "web")

        async def is_refused(client: httpx.AsyncClient) -> bool:
            return (await ask(client)).status_code == 401

        for client in (one, two):
            await eventually_is(partial(is_refused, client), within_s=30)


async def test_a_stopping_replica_finishes_running_calls_and_accepts_no_new_call(
    shared: Cluster, emulator: Emulator
) -> None:
    key = shared.key("web")
    [replica] = shared.start()
    emulator.fault("generateContent", "slow", delayS=1.5)
    async with client_of(replica, key) as client:
        running = asyncio.create_task(ask(client))
        await eventually(lambda: bool(emulator.requests("generateContent")))
        replica.process.send_signal(signal.SIGTERM)
        answer = await running

    assert answer.status_code == 200
    assert await asyncio.to_thread(replica.process.wait, 20) in {0, -signal.SIGTERM}
    with pytest.raises(httpx.ConnectError):
        await asyncio.to_thread(httpx.get, f"{replica.url}/healthz")


async def test_without_its_stores_a_replica_refuses_cleanly_and_recovers_by_itself(
    shared: Cluster, postgres: PostgresServer, valkey: ValkeyServer
) -> None:
    shared.environment["LIMITS_ON_OUTAGE"] = "refuse"
    key = shared.key("web", "--requests-per-minute", "1000", "--tokens-per-day", "1000000")
    [replica] = shared.start()
    async with client_of(replica, key) as client:

        async def is_well() -> bool:
            # A store that failed is asked again a moment later, by the clock.
            shared.advance(2)
            answered, ready = await ask(client), await client.get("/readyz")
            return answered.status_code == 200 and ready.json()["status"] == "ready"

        assert (await ask(client)).status_code == 200
        valkey.stop()
        try:
            without_limits = await ask(client)
            while_limits_are_away = await client.get("/readyz")
        finally:
            valkey.start()
        await eventually_is(is_well, within_s=60)
        postgres.stop()
        try:
            without_database = await ask(client)
            while_it_is_away = await client.get("/readyz")
            alive = await client.get("/healthz")
        finally:
            postgres.start()
        await eventually_is(is_well, within_s=60)

    assert [without_limits.status_code, without_database.status_code] == [503, 503]
    assert {without_limits.json()["code"], without_database.json()["code"]} == {"store-unavailable"}
    assert (while_limits_are_away.status_code, while_limits_are_away.json()["limits"]) == (200, "away")
    assert (while_it_is_away.status_code, while_it_is_away.json()["database"]) == (503, "away")
    assert alive.status_code == 200


GRANULE = 262_144
FILE = sound(3 * GRANULE, seed=5)
KEPT = sound(500_000)
LEASES_S = max(CALL_LEASE_S, UPLOAD_LEASE_S) + 120
"""After it, both clocks say that the leases of a dead process have ended."""


async def start_upload(client: httpx.AsyncClient) -> str:
    """Open a session of Gemini's own protocol; gives its path, which is good on any replica."""
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(len(FILE)),
        "x-goog-upload-header-content-type": "audio/wav",
    }
    answer = await client.post("/upload/v1beta/files", json={"file": {}}, headers=headers)
    return URL(answer.headers["x-goog-upload-url"]).raw_path_qs


def chunk(
    client: httpx.AsyncClient, path: str, words: str, offset: int, content: bytes | AsyncIterator[bytes]
) -> Awaitable[httpx.Response]:
    headers = {"x-goog-upload-command": words, "x-goog-upload-offset": str(offset)}
    return client.post(path, content=content, headers=headers)


async def received(client: httpx.AsyncClient, path: str) -> int:
    answer = await client.post(path, headers={"x-goog-upload-command": "query"})
    return int(answer.headers["x-goog-upload-size-received"])


async def without_end(data: bytes, died: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield the bytes before the end, and never the end."""
    yield data
    await died.wait()
    raise ConnectionError


async def cut(request: Awaitable[httpx.Response]) -> None:
    """Make a request whose answer never comes."""
    with pytest.raises((httpx.TransportError, ConnectionError)):
        await request


@dataclass(frozen=True, slots=True)
class Tokens:
    """The sums over all budgets."""

    used: int
    reserved: int


async def tokens_of(shared: Cluster) -> Tokens:
    engine = create_async_engine(shared.environment["DATABASE_URL"])
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT sum(tokens_used), sum(tokens_reserved) FROM budgets"))).one()
    await engine.dispose()
    return Tokens(int(row[0]), int(row[1]))


async def test_a_replica_that_is_killed_loses_and_doubles_nothing_that_was_acknowledged(
    shared: Cluster, emulator: Emulator
) -> None:
    shared.environment["CHUNK_BYTES"] = str(GRANULE)
    key = shared.key("web", "--tokens-per-day", "1000000", "--concurrent-requests", "4")
    doomed, second, third = shared.start(3)
    async with client_of(doomed, key) as dying, client_of(second, key) as client, client_of(third, key) as other:
        asked = await ask(dying)
        kept = await dying.post("/api/v1/files", files=[("file", ("kept.wav", KEPT))])
        path = await start_upload(dying)
        acknowledged = await chunk(dying, path, "upload", 0, FILE[:GRANULE])

        async def is_settled() -> bool:
            return not (await tokens_of(shared)).reserved

        await eventually_is(is_settled)

        # It dies while a model works for it, while a file comes in, and while a further chunk does.
        emulator.fault("generateContent", "slow", delayS=60)
        form = part("file", sound(700_000), "lost.wav")
        multipart = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        died = asyncio.Event()
        running = [
            asyncio.create_task(cut(request))
            for request in (
                ask(dying, "A long story"),
                dying.post("/api/v1/files", content=without_end(form, died), headers=multipart),
                chunk(dying, path, "upload", GRANULE, without_end(FILE[GRANULE : 2 * GRANULE + 1_000], died)),
            )
        ]
        await eventually(lambda: len(emulator.requests("generateContent")) == 2)
        # The model's answer and the chunk; the file that comes in has a session by now.
        await eventually(lambda: emulator.state["in_flight"] == 2 and len(emulator.open_sessions()) == 2)
        doomed.kill()
        died.set()
        await asyncio.gather(*running)
        held = (await tokens_of(shared)).reserved

        # What it acknowledged goes on elsewhere.
        file = await client.get(f"/api/v1/files/{kept.json()['id']}")
        used = await client.post(GENERATE, files=[("prompt", (None, "What?")), ("file_id", (None, file.json()["id"]))])
        shared.advance(WRITING_LEASE_S + 1)
        offset = await received(other, path)
        whole = await chunk(other, path, "upload, finalize", offset, FILE[offset:])

        # What it did not is cleared away by whoever looks when the leases have ended.
        shared.advance(LEASES_S)
        emulator.advance(WRITING_LEASE_S + 1 + LEASES_S)
        [fourth] = shared.start()
        await eventually(lambda: not emulator.open_sessions())
        async with client_of(fourth, key) as newest:
            again = await asyncio.gather(*(ask(newest) for _ in range(4)))
            listed = (await newest.get("/api/v1/files")).json()["data"]

    assert [asked.status_code, kept.status_code, acknowledged.status_code] == [200, 201, 200]
    assert [file.status_code, used.status_code, whole.status_code] == [200, 200, 200]
    assert GRANULE <= offset < len(FILE)
    assert {file["sha256"] for file in listed} == {hashlib.sha256(data).hexdigest() for data in (KEPT, FILE)}
    assert len(emulator.files) == 2
    # Its slot is free, and its call is booked once, at what was held for it.
    assert [answer.status_code for answer in again] == [200] * 4
    told = sum(answer.json()["usage"]["total_tokens"] for answer in (asked, used, *again))
    assert held > 0

    async def is_booked() -> bool:
        return await tokens_of(shared) == Tokens(told + held, 0)

    await eventually_is(is_booked)
