"""The leases of uploads: taken for each chunk, renewed while it lasts, given back at its end."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import StoreUnavailableError
from app.native.uploads import leases as module
from app.native.uploads.leases import WriterLease, WriterLeases
from app.store.database import Database, open_database
from app.store.files import FileRegistry
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError
from tests.stores import database_url
from tests.unit.store.uploading import ME, begun
from tests.waiting import eventually_is

TOKEN = "0" * 64


class Counted(UploadSessions):
    """Sessions that count leases taken and renewed, and of which the database can be away."""

    taken = 0
    renewals = 0
    is_away = False

    async def begin_writing(self, token_hash: str, **more: Any) -> UploadSession | None:
        self.taken += 1
        return await super().begin_writing(token_hash, **more)

    async def renew(self, token_hash: str, **more: Any) -> bool:
        self.renewals += 1
        if self.is_away:
            raise StoreUnavailableError("away")
        return await super().renew(token_hash, **more)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(database_url(tmp_path)) as database:
        yield database


@pytest.fixture
async def sessions(database: Database) -> Counted:
    """One session without a writer."""
    await begun(FileRegistry(database), "upload")
    sessions = Counted(database)
    await sessions.add(TOKEN, upload_name="upload", declared_bytes=1_000, granularity=1, scan=b"0 scan")
    return sessions


async def begin(leases: WriterLeases, owner: str | None = None) -> WriterLease:
    lease = await leases.begin(TOKEN, owner=owner, lease_until=0.0)
    assert lease is not None
    return lease


async def chunk(leases: WriterLeases, size: int = 10) -> int:
    """Carry a chunk; return how many bytes were there before the chunk."""
    lease = await begin(leases)
    session = replace(lease.session, received=lease.session.received + size, is_unsure=False)
    assert await leases.end(session)
    return lease.session.received


async def stored(sessions: UploadSessions) -> UploadSession:
    session = await sessions.get(TOKEN)
    assert session is not None
    return session


async def is_free(sessions: UploadSessions) -> bool:
    return (await stored(sessions)).writing_until == 0


async def test_every_chunk_takes_its_lease_and_gives_it_back_whichever_replica_it_comes_to(sessions: Counted) -> None:
    replicas = [WriterLeases(sessions) for _ in range(3)]
    free = []

    for number in range(9):
        assert await chunk(replicas[number % 2]) == 10 * number
        free.append(await is_free(sessions))

    assert all(free)
    assert sessions.taken == 9


async def test_a_second_writer_is_refused_and_told_the_uploads_name(sessions: Counted) -> None:
    await begin(WriterLeases(sessions))

    with pytest.raises(WritingElsewhereError) as refused:
        await begin(WriterLeases(sessions))

    assert refused.value.name == "upload"


async def test_a_lease_that_ran_out_is_taken_over_with_its_progress_unsure_and_its_scan_void(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.0)
    dead = WriterLeases(sessions)
    lease = await begin(dead)

    taken = await begin(WriterLeases(sessions))

    assert (taken.session.is_unsure, taken.session.scan) == (True, None)
    assert not await dead.renew(lease)
    assert not await dead.end(lease.session)


async def test_a_lease_that_was_given_back_keeps_the_scan(sessions: Counted) -> None:
    leases = WriterLeases(sessions)
    await leases.end(replace((await begin(leases)).session, scan=b"7 seen"))

    assert (await begin(leases)).session.scan == b"7 seen"


async def test_a_lease_is_the_owners_alone(sessions: Counted) -> None:
    leases = WriterLeases(sessions)

    assert await leases.begin(TOKEN, owner="another", lease_until=0.0) is None
    assert (await begin(leases, ME)).session.owner == ME


async def test_a_writer_that_works_renews_its_lease_and_a_stalled_one_does_not(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    leases = WriterLeases(sessions)
    lease = await begin(leases)
    is_stalled = True
    asked = 0

    def stalled() -> bool:
        nonlocal asked
        asked += 1
        return is_stalled

    async with leases.renewing(lease, stalled):
        await eventually_is(lambda: asyncio.sleep(0, asked > 2))
        assert sessions.renewals == 0
        is_stalled = False
        await eventually_is(lambda: asyncio.sleep(0, sessions.renewals > 0))
    asked_at_the_end = asked
    await asyncio.sleep(0.05)

    assert asked == asked_at_the_end


async def test_a_renewal_fails_no_writer_while_the_database_is_away(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    leases = WriterLeases(sessions)
    lease = await begin(leases)
    sessions.is_away = True

    async with leases.renewing(lease, lambda: False):
        await eventually_is(lambda: asyncio.sleep(0, sessions.renewals > 2))


async def test_a_late_renewal_takes_back_no_lease_that_was_given_back(sessions: Counted) -> None:
    leases = WriterLeases(sessions)
    lease = await begin(leases)
    await leases.end(lease.session)

    assert not await leases.renew(lease)
    assert await is_free(sessions)


@pytest.mark.parametrize("clock", ["time", "monotonic"])
async def test_a_lease_is_no_longer_fresh_after_a_pause_or_a_sleep_of_the_machine(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    leases = WriterLeases(sessions)
    lease = await begin(leases)
    assert lease.is_fresh
    awake = getattr(time, clock)
    monkeypatch.setattr(time, clock, lambda: awake() + module.RENEW_S)

    assert not lease.is_fresh
    assert await leases.renew(lease)
    assert lease.is_fresh


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_cancelled_upload_begin_leaves_no_writer(sessions: Counted, times: int) -> None:
    leases = WriterLeases(sessions)
    beginning = asyncio.create_task(begin(leases))
    for _ in range(times):
        # A client that leaves and comes again cancels its request twice.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        beginning.cancel()
    await asyncio.wait((beginning,))

    assert beginning.cancelled()
    assert sessions.taken == 1
    await eventually_is(lambda: is_free(sessions))


async def test_the_end_waits_for_leases_that_are_being_given_back(sessions: Counted) -> None:
    leases = WriterLeases(sessions)
    lease = await begin(leases)

    async def give_back() -> None:
        await asyncio.sleep(0.01)
        await leases.end(lease.session)

    _ = leases.in_background(give_back())
    await leases.aclose()

    assert await is_free(sessions)
