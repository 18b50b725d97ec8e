"""How an upload ends: query, cancel, finalize, and whose upload it is."""

import time

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, FILE, GRANULE, command, finished, opened, whole


async def test_an_upload_query_answers_geminis_acknowledged_offset(closed: Closed) -> None:
    url = await opened(closed)
    await command(closed, url, "upload", 0, CHUNK)

    answer = await command(closed, url, "query")

    assert answer.headers["x-goog-upload-status"] == "active"
    assert answer.headers["x-goog-upload-size-received"] == str(GRANULE)


async def test_a_cancelled_upload_is_gone(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed, 10 * GRANULE)
    for at in range(3):
        await command(closed, url, "upload", at * GRANULE, CHUNK)

    cancelled = await command(closed, url, "cancel")
    after = [await command(closed, url, words) for words in ("query", "cancel", "finalize")]
    after.append(await command(closed, url, "upload", 3 * GRANULE, CHUNK))

    assert (cancelled.status_code, cancelled.headers["x-goog-upload-status"]) == (200, "cancelled")
    assert [(answer.status_code, answer.headers["x-goog-upload-status"]) for answer in after] == [
        (404, "cancelled")
    ] * 4
    assert emulator.open_sessions() == []


async def test_a_lost_answer_to_finalize_is_given_again(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    emulator.fault("files.finalize", "lost_ack")

    file = await finished(closed, url)
    again = await command(closed, url, "upload, finalize", 2 * GRANULE, FILE[2 * GRANULE :])
    asked = await command(closed, url, "query")

    assert again.json()["file"] == asked.json()["file"] == file
    assert asked.headers["x-goog-upload-status"] == "final"
    assert len(emulator.files) == 1


async def test_finalize_may_come_alone(closed: Closed, emulator: Emulator) -> None:
    url = await opened(closed)
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    await command(closed, url, "upload", 2 * GRANULE, FILE[2 * GRANULE :])

    answer = await command(closed, url, "finalize")

    assert answer.headers["x-goog-upload-status"] == "final"
    assert whole(emulator)


# whose it is


async def test_the_address_is_its_credential_and_no_other_clients(closed: Closed) -> None:
    url = await opened(closed)
    other = await closed.key("other")

    by_other = await closed.gateway.client.post(
        url, headers={"x-goog-upload-command": "query", "x-goog-api-key": other}
    )
    guessed = await command(closed, url[:-60] + "A" * 20 + url[-40:], "query")

    assert [answer.status_code for answer in (by_other, guessed)] == [404, 404]
    assert by_other.text == guessed.text


async def test_an_upload_address_ends_with_its_owners_key(closed: Closed) -> None:
    url = await opened(closed)
    await closed.keys.revoke("web", now=time.time())

    answer = await command(closed, url, "upload", 0, CHUNK)

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (404, "cancelled")
