"""Gemini's upload protocol through the gateway, command by command (Files API reference, section 2.1)."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.clients.identity import Limits
from app.native.uploads.leases import Leases
from app.store.database import open_database
from app.store.upload_sessions import UploadSessions
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.raw_http import chunked, connection
from tests.stores import database_url
from tests.waiting import eventually, eventually_is

GRANULE = 262_144
CHUNK = bytes(range(256)) * (GRANULE // 256)
FILE = CHUNK + CHUNK + b"the end"


async def start(closed: Closed, key: str, size: int | None = len(FILE), **headers: str) -> httpx.Response:
    sent = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start", **headers}
    if size is not None:
        sent["x-goog-upload-header-content-length"] = str(size)
    answer: httpx.Response = await closed.call("POST", "/upload/v1beta/files", key, json={"file": {}}, headers=sent)
    return answer


async def opened(closed: Closed, size: int | None = len(FILE)) -> str:
    answer = await start(closed, await closed.key("web"), size)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-goog-upload-url"])


async def command(closed: Closed, url: str, words: str, offset: int | None = None, data: Any = b"") -> httpx.Response:
    headers = {"x-goog-upload-command": words}
    if offset is not None:
        headers["x-goog-upload-offset"] = str(offset)
    return await closed.gateway.client.post(url, content=data, headers=headers)


async def finished(closed: Closed, url: str) -> dict[str, Any]:
    answer = await command(closed, url, "upload, finalize", 2 * GRANULE, FILE[2 * GRANULE :])
    assert (answer.status_code, answer.headers.get("x-goog-upload-status")) == (200, "final"), answer.text
    return dict(answer.json()["file"])


def whole(emulator: Emulator) -> bool:
    [file] = emulator.files
    return base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(FILE).hexdigest()


# start


async def test_the_address_is_the_gateways_own_and_tells_nothing_of_geminis(closed: Closed, emulator: Emulator) -> None:
    answer = await start(closed, await closed.key("web"))

    url = answer.headers["x-goog-upload-url"]
    assert url.startswith(f"{closed.gateway.url}/upload/v1beta/files?upload_id=")
    assert answer.headers["x-goog-upload-control-url"] == url
    assert answer.headers["x-goog-upload-status"] == "active"
    assert answer.headers["x-goog-upload-chunk-granularity"] == str(GRANULE)
    assert len(httpx.URL(url).params["upload_id"]) == 43
    assert "x-guploader-uploadid" not in answer.headers
    assert emulator.url.rpartition(":")[2] not in url


async def test_the_address_has_the_prefix_by_which_clients_come(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, public_url="https://gate.example/gemini") as closed:
        answer = await start(closed, await closed.key("web"))

    assert answer.headers["x-goog-upload-url"].startswith("https://gate.example/gemini/upload/v1beta/files?upload_id=")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"{}", 200),
        (b'{"file": {"display_name": "x", "mime_type": "text/plain", "size_bytes": 7}}', 200),
        (b'{"file": {"displayName": "x", "mimeType": "text/plain", "sizeBytes": "7"}}', 200),
        (b'{"file": {"name": "UPPER"}}', 400),
        (b'{"file": {"name": "files/-x"}}', 400),
        (b'{"file": {"nobody": 1}}', 400),
        (b'{"file": 1}', 400),
        (b"no json", 400),
        (b'{"file": {"sizeBytes": "0"}}', 400),
        (b'{"file": {"sizeBytes": "3000000000"}}', 413),
    ],
)
async def test_a_start_is_read_in_both_spellings(closed: Closed, body: bytes, status: int) -> None:
    headers = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}

    answer = await closed.call("POST", "/upload/v1/files", await closed.key("web"), content=body, headers=headers)

    assert answer.status_code == status


async def test_limits_are_judged_before_a_byte_is_sent(closed: Closed, emulator: Emulator) -> None:
    large = await start(closed, await closed.key("a", limits=Limits(max_file_bytes=1_000)))
    days = await start(closed, await closed.key("b", limits=Limits(bytes_per_day=1_000)))
    stored = await start(closed, await closed.key("c", limits=Limits(stored_bytes=1_000)))

    assert [answer.status_code for answer in (large, days, stored)] == [413, 429, 429]
    assert emulator.requests("files.start") == []


@pytest.mark.parametrize("limit", ["max_file_bytes", "bytes_per_day", "stored_bytes"])
async def test_where_limits_are_in_bytes_a_session_needs_the_files_length(closed: Closed, limit: str) -> None:
    answer = await start(closed, await closed.key("web", limits=Limits(**{limit: 10_000_000})), size=None)

    assert answer.status_code == 411
    assert "X-Goog-Upload-Header-Content-Length" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("limit", "status"), [("max_file_bytes", 413), ("bytes_per_day", 429), ("stored_bytes", 429)])
async def test_a_length_that_nobody_said_is_judged_as_it_comes(
    emulator: Emulator, tmp_path: Path, limit: str, status: int
) -> None:
    async with closed_gateway(emulator, tmp_path, chunk_bytes=GRANULE) as closed:
        key = await closed.key("web", limits=Limits(**{limit: 4 * GRANULE}))
        lines = ("POST /upload/v1beta/files HTTP/1.1", "Host: 127.0.0.1", "Transfer-Encoding: chunked")
        fields = (f"x-goog-api-key: {key}", "x-goog-upload-protocol: raw", "content-type: audio/wav")
        async with connection(closed.gateway.port) as line:
            await line.send("\r\n".join([*lines, *fields, "", ""]).encode())
            # No end of it is sent.
            await line.send(chunked([CHUNK] * 7).removesuffix(b"0\r\n\r\n"))
            answer = await line.answer()
        await eventually(lambda: not emulator.open_sessions())

    assert answer.status == status
    assert emulator.files == []


async def test_a_session_of_unknown_length_takes_no_more_than_its_client_may_store(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with closed_gateway(emulator, tmp_path, chunk_bytes=GRANULE, stored_bytes_per_client=4 * GRANULE) as closed:
        url = await opened(closed, size=None)
        answers = [await command(closed, url, "upload", at * 2 * GRANULE, CHUNK * 2) for at in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


# upload


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
    assert answer.headers["x-goog-upload-status"] == "cancelled"


async def test_an_upload_goes_on_in_another_process(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that only its end can make the first process give the lease up.
    monkeypatch.setattr(Leases.__init__, "__kwdefaults__", {"keep_s": 600.0})
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
            token, owner=None, now=time.time(), until=time.time() + 60, own_fence=-1, lease_until=0
        )
        assert writing is not None
        await sessions.end_writing(token, fence=writing.fence, received=GRANULE, is_unsure=False, scan=None)

    await finished(closed, url)

    assert whole(emulator)


async def test_what_was_cancelled_at_another_process_is_gone(emulator: Emulator, tmp_path: Path) -> None:
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


# query, cancel, finalize


async def test_a_query_says_what_gemini_has(closed: Closed) -> None:
    url = await opened(closed)
    await command(closed, url, "upload", 0, CHUNK)

    answer = await command(closed, url, "query")

    assert answer.headers["x-goog-upload-status"] == "active"
    assert answer.headers["x-goog-upload-size-received"] == str(GRANULE)


async def test_what_is_cancelled_is_gone(closed: Closed, emulator: Emulator) -> None:
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


async def test_it_dies_with_its_owners_key(closed: Closed) -> None:
    url = await opened(closed)
    await closed.keys.revoke("web", now=time.time())

    answer = await command(closed, url, "upload", 0, CHUNK)

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (404, "cancelled")


# the forms of one request


async def test_a_file_may_be_the_body(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    for query, headers in (("", {"x-goog-upload-protocol": "raw"}), ("?uploadType=media", {})):
        answer = await closed.call(
            "POST", f"/upload/v1beta/files{query}", key, content=FILE, headers={"content-type": "text/x", **headers}
        )
        assert answer.status_code == 200, answer.text
        assert (answer.json()["file"]["mimeType"], answer.json()["file"]["sizeBytes"]) == ("text/x", str(len(FILE)))
    assert len(emulator.files) == 2


def related(*parts: tuple[str, bytes]) -> bytes:
    body = b"".join(b"--b\r\nContent-Type: %b\r\n\r\n%b\r\n" % (kind.encode(), data) for kind, data in parts)
    return body + b"--b--\r\n"


async def test_a_file_may_follow_its_description(closed: Closed) -> None:
    key = await closed.key("web")
    body = related(("application/json", b'{"file": {"displayName": "x", "name": "talk"}}'), ("text/y", FILE))
    headers = {"x-goog-upload-protocol": "multipart", "content-type": "multipart/related; boundary=b"}

    answer = await closed.call("POST", "/upload/v1beta/files", key, content=body, headers=headers)

    file = answer.json()["file"]
    assert (file["name"], file["displayName"], file["mimeType"]) == ("files/talk", "x", "text/y")
    assert file["sizeBytes"] == str(len(FILE))


@pytest.mark.parametrize(
    "body",
    [
        related(("application/json", b"{}"), ("text/y", FILE))[:-20],
        related(("application/json", b"{}")),
        related(("application/json", b"{}"), ("text/y", b"")),
        related(("application/json", b"{}"), ("text/y", b"x"), ("text/z", b"z")),
        b"no multipart at all",
    ],
)
async def test_a_broken_body_leaves_nothing(closed: Closed, emulator: Emulator, body: bytes) -> None:
    headers = {"x-goog-upload-protocol": "multipart", "content-type": "multipart/related; boundary=b"}

    answer = await closed.call("POST", "/upload/v1beta/files", await closed.key("w"), content=body, headers=headers)

    assert answer.status_code == 400
    await eventually(lambda: emulator.open_sessions() == [])
    assert emulator.files == []


async def test_another_protocol_is_none(closed: Closed) -> None:
    headers = {"x-goog-upload-protocol": "carrier-pigeon"}

    answer = await closed.call("POST", "/upload/v1beta/files", await closed.key("w"), content=b"x", headers=headers)

    assert answer.status_code == 400


# the old library's form


async def ranged_start(closed: Closed, key: str, size: int | None = len(FILE)) -> httpx.Response:
    headers = {"x-upload-content-type": "audio/wav"}
    if size is not None:
        headers["x-upload-content-length"] = str(size)
    answer: httpx.Response = await closed.call(
        "POST", "/upload/v1beta/files?uploadType=resumable", key, json={"file": {"displayName": "Old"}}, headers=headers
    )
    return answer


async def put(closed: Closed, url: str, content_range: str | None, data: bytes = b"") -> httpx.Response:
    headers = {} if content_range is None else {"content-range": content_range}
    return await closed.gateway.client.put(url, content=data, headers=headers)


async def test_chunks_may_come_by_their_ranges(closed: Closed, emulator: Emulator) -> None:
    started = await ranged_start(closed, await closed.key("web"))
    url = started.headers["location"]
    total = len(FILE)

    nothing = await put(closed, url, f"bytes */{total}")
    first = await put(closed, url, f"bytes 0-{GRANULE - 1}/{total}", CHUNK)
    again = await put(closed, url, f"bytes 0-{GRANULE - 1}/{total}", CHUNK)
    asked = await put(closed, url, f"bytes */{total}")
    last = await put(closed, url, f"bytes {GRANULE}-{total - 1}/{total}", FILE[GRANULE:])
    repeated = await put(closed, url, f"bytes */{total}")

    assert started.status_code == 200
    assert url.startswith(f"{closed.gateway.url}/upload/v1beta/files?upload_id=")
    assert (nothing.status_code, "range" in nothing.headers) == (308, False)
    assert [(each.status_code, each.headers["range"]) for each in (first, again, asked)] == [
        (308, f"bytes=0-{GRANULE - 1}")
    ] * 3
    assert (last.status_code, repeated.status_code) == (200, 200)
    assert last.json()["file"]["displayName"] == "Old"
    assert last.json()["file"]["mimeType"] == "audio/wav"
    assert repeated.json()["file"]["name"] == last.json()["file"]["name"]
    assert whole(emulator)


async def test_a_ranged_file_may_come_whole_or_without_a_known_length(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    one = (await ranged_start(closed, key)).headers["location"]
    other = (await ranged_start(closed, key, size=None)).headers["location"]

    answers = [
        await put(closed, one, None, FILE),
        await put(closed, other, f"bytes 0-{GRANULE - 1}/*", CHUNK),
        await put(closed, other, f"bytes {GRANULE}-{len(FILE) - 1}/{len(FILE)}", FILE[GRANULE:]),
    ]

    assert [answer.status_code for answer in answers] == [200, 308, 200]
    assert {file["sizeBytes"] for file in emulator.files} == {str(len(FILE))}
    assert len(emulator.files) == 2


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes {GRANULE}-{2 * GRANULE - 1}/{len(FILE)}",
        f"bytes 0-10/{len(FILE)}",
        "bytes 5-1/9",
        "bytes 0-",
        "rows 0-262143/*",
    ],
)
async def test_a_range_that_does_not_fit_is_refused(closed: Closed, emulator: Emulator, content_range: str) -> None:
    url = (await ranged_start(closed, await closed.key("web"))).headers["location"]

    answer = await put(closed, url, content_range, CHUNK)

    assert answer.status_code == 400
    assert emulator.files == []


async def test_a_ranged_session_is_its_clients_own_and_ends_when_gemini_ends_it(
    closed: Closed, emulator: Emulator
) -> None:
    url = (await ranged_start(closed, await closed.key("web"))).headers["location"]
    stranger = {"x-goog-api-key": await closed.key("stranger")}

    foreign = await closed.gateway.client.put(url, headers=stranger | {"content-range": "bytes */9"})
    unknown = await put(closed, re.sub("upload_id=.", "upload_id=_", url), "bytes */9")
    emulator.reset()
    gone = await put(closed, url, f"bytes 0-{GRANULE - 1}/{len(FILE)}", CHUNK)

    assert [answer.status_code for answer in (foreign, unknown)] == [404, 404]
    assert gone.status_code in {404, 502}
