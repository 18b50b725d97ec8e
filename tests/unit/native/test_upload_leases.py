"""The leases of uploads: taken from the database, kept for the next chunk, given up for whoever else comes."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import StoreUnavailableError
from app.native.uploads import leases as module
from app.native.uploads.leases import Lease, Leases
from app.store.database import Database, open_database
from app.store.files import FileRegistry
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError
from tests.stores import database_url
from tests.unit.store.uploading import ME, begun
from tests.waiting import eventually_is

LONG_S = 600.0
"""Kept for longer than any test takes."""
TOKEN = "0" * 64


class Counted(UploadSessions):
    """Sessions that count how often the database is asked for a lease, and that it can be away for those that end."""

    taken = 0
    is_away = False

    async def begin_writing(self, token_hash: str, **more: Any) -> UploadSession | None:
        self.taken += 1
        return await super().begin_writing(token_hash, **more)

    async def end_writing(self, token_hash: str, **more: Any) -> bool:
        if self.is_away:
            raise StoreUnavailableError("away")
        return await super().end_writing(token_hash, **more)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(database_url(tmp_path)) as database:
        yield database


@pytest.fixture
async def sessions(database: Database) -> Counted:
    """One session, nobody's to write to yet."""
    await begun(FileRegistry(database), "upload")
    sessions = Counted(database)
    await sessions.add(TOKEN, upload_name="upload", declared_bytes=1_000, granularity=1, scan=None)
    return sessions


async def begin(leases: Leases, owner: str | None = None) -> Lease:
    lease = await leases.begin(TOKEN, owner=owner, lease_until=0.0)
    assert lease is not None
    return lease


async def chunk(leases: Leases, size: int = 10) -> int:
    """Carry a chunk; gives how much was there before it."""
    lease = await begin(leases)
    session = replace(lease.session, received=lease.session.received + size, is_unsure=False)
    await leases.end(lease, session, is_between_chunks=True)
    return lease.session.received


async def is_free(sessions: UploadSessions) -> bool:
    """Whether the database knows of no writer."""
    session = await sessions.get(TOKEN)
    assert session is not None
    return session.writing_until == 0


async def test_the_lease_of_chunks_that_follow_each_other_here_is_taken_once(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)

    before = [await chunk(leases) for _ in range(6)]

    assert before == [0, 10, 20, 30, 40, 50]
    # The first chunk tells nothing of where the second will come to; from the second on, it is kept.
    assert sessions.taken == 2


async def test_where_chunks_are_dealt_out_in_turn_no_lease_is_kept(sessions: Counted) -> None:
    replicas = [Leases(sessions, keep_s=LONG_S) for _ in range(3)]
    free = []

    for number in range(9):
        assert await chunk(replicas[number % 3]) == 10 * number
        free.append(await is_free(sessions))

    assert all(free)


async def test_another_process_waits_for_a_kept_lease_and_goes_on_from_what_was_acknowledged(
    sessions: Counted,
) -> None:
    here, there = Leases(sessions, keep_s=0.0), Leases(sessions)
    for _ in range(2):
        await chunk(here)

    assert await chunk(there) == 20
    assert await chunk(here) == 30


async def test_a_process_that_goes_on_writing_is_not_waited_for_long(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRIES", 1)
    await begin(Leases(sessions))

    with pytest.raises(WritingElsewhereError):
        await begin(Leases(sessions))


async def test_whoever_waits_for_a_kept_lease_and_comes_again_takes_nothing_by_force(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Leases(sessions, keep_s=LONG_S), Leases(sessions)
    for _ in range(2):
        await chunk(here)
    waiting = asyncio.create_task(begin(there))
    await eventually_is(lambda: asyncio.sleep(0, sessions.taken == 3))
    waiting.cancel()
    await asyncio.wait((waiting,))
    monkeypatch.setattr(module, "TRIES", 1)

    with pytest.raises(WritingElsewhereError):
        await begin(there)

    assert await chunk(here) == 20


async def test_a_lease_that_could_not_be_given_up_is_taken_again_by_whoever_had_it(sessions: Counted) -> None:
    leases = Leases(sessions)
    sessions.is_away = True
    with pytest.raises(StoreUnavailableError):
        await chunk(leases)
    sessions.is_away = False
    assert not await is_free(sessions)

    lease = await begin(leases)

    assert lease.session.is_unsure


async def test_a_lease_that_was_kept_for_too_long_is_not_used(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)
    monkeypatch.setattr(module, "KEPT_WITHIN_S", 0.0)

    assert await chunk(leases) == 20
    assert sessions.taken == 3


async def test_when_no_next_chunk_comes_the_lease_is_given_up_and_what_was_acknowledged_is_written_down(
    sessions: Counted,
) -> None:
    leases = Leases(sessions, keep_s=0.0)
    for _ in range(2):
        await chunk(leases)

    await eventually_is(lambda: is_free(sessions))

    session = await sessions.get(TOKEN)
    assert session is not None
    assert (session.received, session.is_unsure) == (20, False)


async def test_what_a_process_that_died_kept_has_to_be_asked_of_gemini(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = Leases(sessions, keep_s=LONG_S)
    monkeypatch.setattr(module, "LEASE_S", 0.0)
    for _ in range(3):
        await chunk(dying)

    lease = await begin(Leases(sessions))

    assert lease.session.is_unsure


async def test_at_the_end_all_leases_are_given_up_and_none_is_kept_any_more(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)
    assert not await is_free(sessions)

    await leases.aclose()

    assert await is_free(sessions)
    await chunk(leases)
    assert await is_free(sessions)


async def test_a_kept_lease_is_nobody_elses(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)

    assert await leases.begin(TOKEN, owner="another", lease_until=0.0) is None
    assert (await begin(leases, ME)).session.received == 20


async def test_a_released_lease_is_anybodys(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)

    await leases.release(TOKEN)

    assert await is_free(sessions)


async def test_what_failed_is_written_down_at_once(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    await chunk(leases)
    lease = await begin(leases)

    await leases.end(lease, replace(lease.session, is_unsure=True), is_between_chunks=False)

    session = await sessions.get(TOKEN)
    assert session is not None
    assert (session.writing_until, session.is_unsure) == (0, True)


async def test_what_a_scan_has_seen_is_written_down_after_each_chunk(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)

    for seen in (b"1", b"2", b"3"):
        lease = await begin(leases)
        await leases.end(lease, replace(lease.session, scan=seen), is_between_chunks=True)

        session = await sessions.get(TOKEN)
        assert session is not None
        assert (session.writing_until, session.scan) == (0, seen)


async def test_a_lease_that_was_taken_long_ago_is_not_kept(sessions: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_WITHIN_S", 0.0)
    leases = Leases(sessions, keep_s=LONG_S)

    for _ in range(3):
        await chunk(leases)

    assert await is_free(sessions)
    assert sessions.taken == 3


async def test_of_how_many_sessions_the_last_writer_is_remembered_is_bounded(
    database: Database, sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 1)
    await begun(FileRegistry(database), "another")
    await sessions.add("1" * 64, upload_name="another", declared_bytes=None, granularity=1, scan=None)
    leases = Leases(sessions, keep_s=LONG_S)
    await chunk(leases)
    other = await leases.begin("1" * 64, owner=None, lease_until=0.0)
    assert other is not None
    await leases.end(other, other.session, is_between_chunks=True)

    await chunk(leases)

    assert await is_free(sessions)


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_begin_that_is_cancelled_leaves_no_writer(sessions: Counted, times: int) -> None:
    leases = Leases(sessions)
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


async def test_while_the_database_is_away_a_kept_lease_runs_out_by_itself(sessions: Counted) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)
    sessions.is_away = True

    await leases.release(TOKEN)

    assert not await is_free(sessions)


async def test_a_machine_that_slept_uses_no_lease_that_it_kept(
    sessions: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(sessions, keep_s=LONG_S)
    for _ in range(2):
        await chunk(leases)
    awake = time.time
    monkeypatch.setattr(time, "time", lambda: awake() + 3_600)

    assert await chunk(leases) == 20
    assert sessions.taken == 3
