"""Lines of a batch's file: exactly the bytes at Gemini are scanned, even if chunks are cut on their way."""

import json
import random
from typing import Any

import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, GRANULE, command, finished, start
from tests.raw_http import connection
from tests.waiting import eventually

MODEL = "gemini-3.8-flash"
HIDING = b'{"key":"1","request":{"contents":[{"role":"user","parts":[{"text":"'
FREE = b'"}]}],"labels":[{"z":[{"z":"'


async def lines_opened(closed: Closed, key: str, size: int) -> str:
    answer = await start(closed, key, size, **{"x-goog-upload-header-content-type": "application/jsonl"})
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-goog-upload-url"])


async def secret_of(closed: Closed) -> str:
    """Upload a file of another client's; return its name."""
    url = str((await start(closed, await closed.key("victim"))).headers["x-goog-upload-url"])
    for at in range(2):
        await command(closed, url, "upload", at * GRANULE, CHUNK)
    return str((await finished(closed, url))["name"])


def naming(name: str) -> bytes:
    return b'"},{"fileData":{"fileUri":"%b","mimeType":"text/plain"}}]}]}}\n' % name.encode()


def head(url: str, words: str, offset: int, length: int) -> bytes:
    path = "/" + url.split("/", 3)[3]
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"X-Goog-Upload-Command: {words}"]
    return "\r\n".join([*lines, f"X-Goog-Upload-Offset: {offset}", f"Content-Length: {length}", "", ""]).encode()


async def cut(closed: Closed, emulator: Emulator, url: str, offset: int, data: bytes, length: int) -> None:
    """Send the beginning of the last chunk, and reset the connection once the beginning has come to Gemini."""
    before = len(emulator.requests("files.finalize"))

    def has_come() -> bool:
        requests = emulator.requests("files.finalize")
        return len(requests) > before and requests[-1]["body_bytes"] == len(data)

    async with connection(closed.gateway.port) as line:
        await line.send(head(url, "upload, finalize", offset, length) + data)
        await eventually(has_come)
        line.reset()
    await eventually(lambda: emulator.state["in_flight"] == 0)


async def batch_of(closed: Closed, key: str, name: str) -> Any:
    body = {"batch": {"displayName": "b", "inputConfig": {"fileName": name}}}
    return await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)


async def test_a_chunk_cut_behind_a_granule_hides_no_reference_from_the_scan(
    closed: Closed, emulator: Emulator
) -> None:
    key, secret = await closed.key("attacker"), await secret_of(closed)
    # Gemini keeps whole granules: of what is sent here, the part that ends inside a text.
    kept = HIDING + b"x" * (GRANULE - len(HIDING))
    rest = naming(secret)
    url = await lines_opened(closed, key, GRANULE + len(rest))
    await cut(closed, emulator, url, 0, kept + FREE, GRANULE + len(rest))
    asked = await command(closed, url, "query")
    assert asked.headers["x-goog-upload-size-received"] == str(GRANULE)

    last = await command(closed, url, "upload, finalize", GRANULE, rest)
    answer = await batch_of(closed, key, last.json()["file"]["name"])

    assert last.headers["x-goog-upload-status"] == "final"
    assert answer.status_code in {400, 403}
    assert emulator.requests("batchGenerateContent") == []


@pytest.mark.parametrize("seed", range(8))
async def test_no_random_cuts_hide_a_reference_from_the_scan(closed: Closed, emulator: Emulator, seed: int) -> None:
    dice = random.Random(seed)  # reproducible, and no secret
    key, secret = await closed.key("attacker"), await secret_of(closed)
    kept = HIDING + b"x" * (2 * GRANULE - len(HIDING))
    rest = naming(secret)
    total = len(kept) + len(rest)
    url = await lines_opened(closed, key, total)
    for _ in range(dice.randint(1, 3)):
        at = int((await command(closed, url, "query")).headers["x-goog-upload-size-received"])
        if at == len(kept):
            break
        # Truth or a lie, of a length that the client chooses, ended by a reset.
        sent = dice.choice([kept[at:], kept[at : at + dice.randint(1, GRANULE)], kept[at : at + GRANULE] + FREE])
        await cut(closed, emulator, url, at, sent[: total - at - 1], total - at)
    at = int((await command(closed, url, "query")).headers["x-goog-upload-size-received"])

    last = await command(closed, url, "upload, finalize", at, kept[at:] + rest)
    answer = await batch_of(closed, key, last.json()["file"]["name"])

    assert answer.status_code in {400, 403}, answer.text
    assert emulator.requests("batchGenerateContent") == []


async def test_a_lost_acknowledgement_leaves_a_file_of_lines_usable(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    line = json.dumps({"key": "r", "request": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}}).encode()
    data = (line + b"\n") * (GRANULE // len(line) + 1)
    url = await lines_opened(closed, key, len(data))
    emulator.fault("files.upload", "lost_ack")

    lost = await command(closed, url, "upload", 0, data[:GRANULE])
    again = await command(closed, url, "upload", 0, data[:GRANULE])
    last = await command(closed, url, "upload, finalize", GRANULE, data[GRANULE:])
    answer = await batch_of(closed, key, last.json()["file"]["name"])

    assert (lost.status_code, again.status_code) == (502, 200)
    assert answer.status_code == 200, answer.text
