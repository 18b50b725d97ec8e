"""Chunks of an upload: sent whole, in part, again, or where they do not fit."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, FILE, GRANULE, command, finished, opened, whole


async def test_a_file_comes_whole_in_chunks(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)

    first = await command(closed, url, "upload", 0, CHUNK)
    second = await command(closed, url, "upload", GRANULE, CHUNK)
    file = await finished(closed, url)

    assert [(answer.status_code, answer.headers["x-goog-upload-status"]) for answer in (first, second)] == [
        (200, "active")
    ] * 2
    assert file["sizeBytes"] == str(len(FILE))
    assert whole(emulator)


@pytest.mark.parametrize("kind", ["lost_ack", "unavailable_ack"])
async def test_a_chunk_whose_answer_was_lost_is_sent_again_and_counts_once(
    closed: Closed, emulator: Emulator, kind: str
) -> None:
    url = await opened(closed)
    emulator.fault("files.upload", kind)

    lost = await command(closed, url, "upload", 0, CHUNK)
    again = await command(closed, url, "upload", 0, CHUNK)
    await command(closed, url, "upload", GRANULE, CHUNK)
    await finished(closed, url)

    # Worth repeating: an error without a word on the upload.
    assert lost.status_code >= 500
    assert "x-goog-upload-status" not in lost.headers
    assert (again.status_code, again.headers["x-goog-upload-status"]) == (200, "active")
    assert whole(emulator)


async def test_of_a_chunk_that_came_in_part_only_the_rest_is_sent_again(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    emulator.fault("files.upload", "partial", bytes=100_000)

    await command(closed, url, "upload", 0, CHUNK)
    again = await command(closed, url, "upload", 0, CHUNK)
    await command(closed, url, "upload", GRANULE, CHUNK)
    await finished(closed, url)

    assert again.headers["x-goog-upload-status"] == "active"
    assert whole(emulator)


async def test_a_chunk_that_is_there_already_is_acknowledged(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    await command(closed, url, "upload", 0, CHUNK)

    again = await command(closed, url, "upload", 0, CHUNK)
    await command(closed, url, "upload", GRANULE, CHUNK)
    await finished(closed, url)

    assert (again.status_code, again.headers["x-goog-upload-size-received"]) == (200, str(GRANULE))
    assert whole(emulator)


async def test_a_gap_is_no_success(closed: Closed) -> None:
    url = await opened(closed)

    answer = await command(closed, url, "upload", GRANULE, CHUNK)

    assert answer.status_code == 400
    # The Python SDK takes a 4xx that says `active` for success.
    assert "x-goog-upload-status" not in answer.headers


async def test_more_than_was_declared_ends_the_upload(closed: Closed) -> None:
    url = await opened(closed, 10)

    answer = await command(closed, url, "upload, finalize", 0, b"x" * 11)

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (400, "cancelled")


async def test_a_session_that_gemini_has_dropped_is_over(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    emulator.fault("files.upload", "dead_session")

    answer = await command(closed, url, "upload", 0, CHUNK)

    assert answer.status_code >= 400


async def test_a_client_that_leaves_may_come_again(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)

    async def broken() -> AsyncIterator[bytes]:
        yield CHUNK[:100_000]
        raise ConnectionError

    headers = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0", "content-length": str(len(CHUNK))}
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(ConnectionError):
            await client.post(url, content=broken(), headers=headers)
    answers = [await command(closed, url, "upload", at * GRANULE, CHUNK) for at in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    await finished(closed, url)
    assert whole(emulator)


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yield a body of undeclared length."""
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


@pytest.mark.parametrize("words", ["upload", "upload, finalize"])
async def test_a_chunk_without_a_length_stays_within_the_declared_length(
    closed: Closed, emulator: Emulator, words: str
) -> None:
    url = await opened(closed, GRANULE + 1_000)
    await command(closed, url, "upload", 0, CHUNK)

    answer = await command(closed, url, words, GRANULE, in_pieces(CHUNK * 10))

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (400, "cancelled")
    assert str(GRANULE + 1_000) in answer.json()["error"]["message"]
    passed = [*emulator.requests("files.upload"), *emulator.requests("files.finalize")]
    assert sum(request["body_bytes"] for request in passed) <= GRANULE + 1_000
    assert emulator.files == []


async def test_a_chunk_without_a_length_may_fill_the_declared_length(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    await command(closed, url, "upload", 0, in_pieces(CHUNK * 2))

    await finished(closed, url)

    assert whole(emulator)


async def test_a_finalize_without_an_offset_takes_no_bytes(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed, GRANULE)
    await command(closed, url, "upload", 0, CHUNK)

    answers = [await command(closed, url, "finalize", data=data) for data in (b"x", in_pieces(CHUNK))]
    last = await command(closed, url, "finalize")

    assert [answer.status_code for answer in answers] == [400, 400]
    assert last.headers["x-goog-upload-status"] == "final"
    assert emulator.files[0]["sizeBytes"] == str(GRANULE)


async def test_a_finalize_short_of_the_declared_length_names_the_missing_bytes(closed: Closed) -> None:
    url = await opened(closed)
    await command(closed, url, "upload", 0, CHUNK)

    short = await command(closed, url, "upload, finalize", GRANULE, b"x")
    await command(closed, url, "upload", GRANULE, CHUNK)
    await finished(closed, url)

    assert short.status_code == 400
    assert str(len(FILE)) in short.json()["error"]["message"]
