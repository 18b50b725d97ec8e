"""Two requests that write to one upload: one wins, the others get a clear conflict."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from app.native.uploads.leases import WriterLease
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, GRANULE, command, finished, opened, whole
from tests.raw_http import RawAnswer, connection
from tests.stores import change
from tests.waiting import eventually


async def test_a_client_that_comes_again_ends_its_own_request_that_hangs(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    hangs = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield CHUNK[:100_000]
        hangs.set()
        await asyncio.sleep(60)

    headers = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0", "content-length": str(len(CHUNK))}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        old = asyncio.create_task(client.post(url, content=stalled(), headers=headers))
        await hangs.wait()
        await asyncio.sleep(0.2)
        again = await command(closed, url, "upload", 0, CHUNK)
        old.cancel()
        await asyncio.wait((old,))
    await command(closed, url, "upload", GRANULE, CHUNK)
    await finished(closed, url)

    assert (again.status_code, again.headers["x-goog-upload-status"]) == (200, "active")
    assert whole(emulator)


def chunk_head(url: str, words: str, offset: int, length: int) -> bytes:
    path = "/" + url.split("/", 3)[3]
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"X-Goog-Upload-Command: {words}"]
    return "\r\n".join([*lines, f"X-Goog-Upload-Offset: {offset}", f"Content-Length: {length}", "", ""]).encode()


def assert_conflict(answer: RawAnswer, name: str = "") -> None:
    """Check that an answer invites a retry, and names the remedy."""
    assert (answer.status, answer.json["error"]["status"]) == (409, "ABORTED")
    # The SDKs take a status of the upload for the end of the chunk, one way or the other.
    assert "x-goog-upload-status" not in answer.headers
    assert int(answer.headers["retry-after"]) > 0
    assert "query" in answer.json["error"]["message"]
    assert name in answer.json["error"]["message"]


@pytest.mark.parametrize("words", ["upload, finalize", "upload"])
async def test_of_ten_requests_for_the_same_chunk_one_succeeds_and_nine_are_clear_conflicts(
    closed: Closed, emulator: Emulator, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    url = await opened(closed, 3 * GRANULE)
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(connection(closed.gateway.port)) for _ in range(10)]
        answers = {asyncio.create_task(line.answer()): line for line in lines}
        await asyncio.gather(
            *(line.send(chunk_head(url, words, 2 * GRANULE, GRANULE) + CHUNK[:1_000]) for line in lines)
        )
        pending = set(answers)
        while len(pending) > 1:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        [last] = pending
        await answers[last].send(CHUNK[1_000:])
        winner = await last

    assert winner.status == 200
    assert winner.headers["x-goog-upload-status"] == ("final" if "finalize" in words else "active")
    for task in answers:
        if task is not last:
            assert_conflict(task.result())
    assert "ASGI" not in caplog.text
    if words == "upload":
        await command(closed, url, "finalize")
    [file] = emulator.files
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(CHUNK * 3).hexdigest()


async def test_a_second_writer_at_another_replica_is_refused_while_the_first_one_writes(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with closed_gateway(emulator, tmp_path) as here, closed_gateway(emulator, tmp_path) as there:
        url = await opened(here)
        async with connection(here.gateway.port) as line, connection(there.gateway.port) as other:
            await line.send(chunk_head(url, "upload", 0, GRANULE) + CHUNK[:1_000])
            await eventually(lambda: bool(emulator.requests("files.upload")))
            await other.send(chunk_head(url, "upload", 0, GRANULE) + CHUNK)
            refused = await other.answer()
            await line.send(CHUNK[1_000:])
            taken = await line.answer()
        await command(there, url.replace(str(here.gateway.port), str(there.gateway.port)), "upload", GRANULE, CHUNK)
        await finished(here, url)

    [session] = emulator.sessions
    assert_conflict(refused, session["name"])
    assert (taken.status, taken.headers["x-goog-upload-status"]) == (200, "active")
    assert whole(emulator)


async def test_a_writer_whose_lease_was_lost_sends_gemini_no_more_bytes(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the process had stood still before every byte.
    monkeypatch.setattr(WriterLease, "is_fresh", False)
    async with closed_gateway(emulator, tmp_path) as here, closed_gateway(emulator, tmp_path) as there:
        url = await opened(here)
        elsewhere = url.replace(str(here.gateway.port), str(there.gateway.port))
        async with connection(here.gateway.port) as line:
            await line.send(chunk_head(url, "upload", 0, GRANULE) + CHUNK[:1_000])
            await eventually(lambda: bool(emulator.requests("files.upload")))
            await change(tmp_path, "UPDATE upload_sessions SET fence = fence + 1, writing_until = 1")
            taken = await command(there, elsewhere, "upload", 0, CHUNK)
            await line.send(b"?" * (GRANULE - 1_000))
            lost = await line.answer()
        await command(there, elsewhere, "upload", GRANULE, CHUNK)
        await finished(there, elsewhere)

    assert (taken.status_code, taken.headers["x-goog-upload-status"]) == (200, "active")
    assert_conflict(lost)
    assert whole(emulator)
