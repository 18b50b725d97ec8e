"""Opening an upload by Gemini's protocol: its address, and limits judged before a byte is sent."""

from pathlib import Path

import httpx
import pytest

from app.clients.identity import Limits
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, GRANULE, command, opened, start
from tests.raw_http import chunked, connection
from tests.waiting import eventually


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
async def test_an_undeclared_length_is_judged_as_bytes_arrive(
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
