"""One upload at several processes: chunks may come to any of them."""

import asyncio
import base64
import hashlib
import time
from pathlib import Path

import httpx

from app.store.database import open_database
from app.store.upload_sessions import UploadSessions
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, GRANULE, command, finished, opened, whole
from tests.stores import database_url
from tests.waiting import eventually_is


async def test_an_upload_goes_on_in_another_process(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as closed:
        url = httpx.URL(await opened(closed, 4 * GRANULE))
        for at in range(3):
            await command(closed, str(url), "upload", at * GRANULE, CHUNK)
    async with closed_gateway(emulator, tmp_path) as closed:
        here = str(url.copy_with(port=closed.gateway.port))
        last = await command(closed, here, "upload, finalize", 3 * GRANULE, CHUNK)

    assert last.headers.get("x-goog-upload-status") == "final", last.text


async def test_an_upload_of_which_less_is_remembered_than_gemini_has_goes_on(
    closed: Closed, emulator: Emulator, tmp_path: Path
) -> None:
    url = await opened(closed)
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    token = hashlib.sha256(httpx.URL(url).params["upload_id"].encode()).hexdigest()
    async with open_database(database_url(tmp_path)) as database:
        sessions = UploadSessions(database)

        async def is_at_rest() -> bool:
            session = await sessions.get(token)
            return session is not None and session.writing_until == 0

        await eventually_is(is_at_rest)
        writing = await sessions.begin_writing(
            token, owner=None, now=time.time(), until=time.time() + 60, lease_until=0
        )
        assert writing is not None
        await sessions.end_writing(token, fence=writing.fence, received=GRANULE, is_unsure=False, scan=None)

    await finished(closed, url)

    assert whole(emulator)


async def test_an_upload_cancelled_by_another_process_is_gone(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as here, closed_gateway(emulator, tmp_path) as there:
        url = httpx.URL(await opened(here, 10 * GRANULE))
        for at in range(3):
            await command(here, str(url), "upload", at * GRANULE, CHUNK)
        await command(here, str(url.copy_with(port=there.gateway.port)), "cancel")

        answer = await command(here, str(url), "upload", 3 * GRANULE, CHUNK)

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (404, "cancelled")


async def test_an_upload_moves_between_processes_at_once(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path) as here, closed_gateway(emulator, tmp_path) as there:
        url = httpx.URL(await opened(here, 10 * GRANULE))
        addresses = [str(url), str(url.copy_with(port=there.gateway.port))]
        # Chunks that follow each other in one process, then in the other, and back.
        turns = [0, 0, 0, 1, 0, 0, 0, 1, 1]
        answers = [await command(here, addresses[turn], "upload", at * GRANULE, CHUNK) for at, turn in enumerate(turns)]
        last = await command(here, addresses[0], "upload, finalize", 9 * GRANULE, CHUNK)

    assert [answer.status_code for answer in answers] == [200] * 9, [answer.text for answer in answers]
    assert last.headers["x-goog-upload-status"] == "final"
    [file] = emulator.files
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(CHUNK * 10).hexdigest()


async def test_a_chunk_that_is_repeated_while_it_waits_for_another_process_leaves_all_in_order(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with closed_gateway(emulator, tmp_path) as here, closed_gateway(emulator, tmp_path) as there:
        url = httpx.URL(await opened(here, 10 * GRANULE))
        elsewhere = str(url.copy_with(port=there.gateway.port))
        for at in range(3):
            await command(here, str(url), "upload", at * GRANULE, CHUNK)
        first = asyncio.create_task(command(here, elsewhere, "upload", 3 * GRANULE, CHUNK))
        await asyncio.sleep(0.015)
        second = await command(here, elsewhere, "upload", 3 * GRANULE, CHUNK)
        back = await command(here, str(url), "upload", 4 * GRANULE, CHUNK)
        await first

    assert [second.status_code, back.status_code] == [200, 200], (second.text, back.text)
