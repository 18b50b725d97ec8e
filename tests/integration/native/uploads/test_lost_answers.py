"""The end of an upload whose answers come in pieces, cannot be read, or are lost."""

import asyncio
import time
from pathlib import Path

import pytest

from app.native.uploads.writing import DOUBT_S
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, FILE, GRANULE, command, finished, opened, start
from tests.stores import change, selected
from tests.waiting import eventually


async def ready_to_finish(closed: Closed) -> str:
    """Upload all but the last chunk; return the address."""
    url = await opened(closed)
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    return url


@pytest.mark.parametrize("cut", [{"after_bytes": 1}, {"after_bytes": 40}, {"after_bytes": 400}, {}])
async def test_an_answer_to_finalize_comes_in_pieces(closed: Closed, emulator: Emulator, cut: dict[str, int]) -> None:
    url = await ready_to_finish(closed)
    emulator.fault("files.finalize", "split", delay_s=0.02, **cut)

    file = await finished(closed, url)

    assert file["sizeBytes"] == str(len(FILE))
    assert emulator.requests("files.query") == []


async def test_a_start_that_is_refused_in_two_pieces_keeps_its_reason(closed: Closed, emulator: Emulator) -> None:
    message = "Quota exceeded"
    emulator.fault("files.start", "status", code=429, message=message, retry_delay_s=17)
    emulator.fault("files.start", "split", after_bytes=25, delay_s=0.05)

    answer = await start(closed, await closed.key("web"))

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")


@pytest.mark.parametrize("kind", ["unavailable_ack", "dead_session", "lost_ack"])
async def test_where_finalize_and_query_say_nothing_the_file_is_found_by_its_name(
    closed: Closed, emulator: Emulator, kind: str
) -> None:
    url = await ready_to_finish(closed)
    emulator.fault("files.finalize", "lost_ack")
    emulator.fault("files.query", kind, count=5)

    file = await finished(closed, url)
    again = await command(closed, url, "upload, finalize", 2 * GRANULE, FILE[2 * GRANULE :])

    assert file["sizeBytes"] == str(len(FILE))
    assert again.json()["file"] == file
    assert len(emulator.requests("files.get")) == 1
    assert len(emulator.files) == 1


async def all_is_lost(closed: Closed, emulator: Emulator, url: str) -> None:
    """Finish an upload of which nobody can tell that it is finished."""
    emulator.fault("files.finalize", "lost_ack", count=100)
    emulator.fault("files.query", "unavailable_ack", count=100)
    emulator.fault("files.get", "status", code=503, count=100)
    for _ in range(3):
        answer = await command(closed, url, "upload, finalize", 2 * GRANULE, FILE[2 * GRANULE :])
        assert answer.status_code >= 500
        # Neither lost nor done, as far as anybody knows: worth repeating.
        assert "x-goog-upload-status" not in answer.headers
    emulator.drop_faults()
    assert len(emulator.files) == 1


@pytest.mark.parametrize("words", ["query", "upload, finalize"])
async def test_an_upload_whose_end_was_lost_is_finished_when_gemini_answers_again(
    closed: Closed, emulator: Emulator, tmp_path: Path, words: str
) -> None:
    url = await ready_to_finish(closed)
    await all_is_lost(closed, emulator, url)

    if words == "query":
        answer = await command(closed, url, words)
    else:
        answer = await command(closed, url, words, 2 * GRANULE, FILE[2 * GRANULE :])
    name = answer.json()["file"]["name"]

    assert answer.headers["x-goog-upload-status"] == "final"
    assert await selected(tmp_path, "SELECT upload_name FROM files") == [(name.removeprefix("files/"),)]


async def test_a_file_of_an_upload_that_failed_for_good_is_deleted(
    closed: Closed, emulator: Emulator, tmp_path: Path
) -> None:
    url = await ready_to_finish(closed)
    await all_is_lost(closed, emulator, url)

    [(lease_until,)] = await selected(tmp_path, "SELECT lease_until FROM uploads")
    await change(tmp_path, "UPDATE uploads SET lease_until = 1")
    async with closed_gateway(emulator, tmp_path):
        await eventually(lambda: emulator.files == [])
    answer = await command(closed, url, "query")

    assert lease_until <= time.time() + DOUBT_S
    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (404, "cancelled")


async def test_a_cancel_of_an_upload_whose_end_was_lost_deletes_the_file(closed: Closed, emulator: Emulator) -> None:
    url = await ready_to_finish(closed)
    await all_is_lost(closed, emulator, url)

    answer = await command(closed, url, "cancel")

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (200, "cancelled")
    assert emulator.files == []


async def test_ten_queries_at_once_of_a_finished_upload_give_its_file_one_id(
    closed: Closed, emulator: Emulator, tmp_path: Path
) -> None:
    url = await ready_to_finish(closed)
    await all_is_lost(closed, emulator, url)

    answers = await asyncio.gather(*(command(closed, url, "query") for _ in range(10)))

    assert {answer.headers["x-goog-upload-status"] for answer in answers} == {"final"}
    assert await selected(tmp_path, "SELECT count(*) FROM files") == [(1,)]
