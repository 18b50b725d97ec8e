"""Uploads without a credential: only the exact token of an existing session gets in, and only to that session."""

import itertools
import secrets
from pathlib import Path

import httpx
import pytest

from app.clients.identity import LOCAL, Scope
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.gateway import running_gateway
from tests.raw_http import RawAnswer, connection
from tests.stores import change, selected
from tests.waiting import eventually_is

GRANULE = 262_144
SESSION_HEADERS = {
    "x-goog-upload-protocol": "resumable",
    "x-goog-upload-command": "start",
    "x-goog-upload-header-content-length": str(GRANULE),
}
BEGINNINGS: dict[str, tuple[str, ...]] = {
    "raw": ("X-Goog-Upload-Protocol: raw",),
    "start": ("X-Goog-Upload-Protocol: resumable", "X-Goog-Upload-Command: start"),
    "multipart": ("X-Goog-Upload-Protocol: multipart", "Content-Type: multipart/related; boundary=b"),
    "finalize": ("X-Goog-Upload-Command: upload, finalize", "X-Goog-Upload-Offset: 0"),
    "nothing": (),
}
LAST_CHUNK = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
TOKEN = "A" * 43
QUERIES = [
    "",
    "upload_id",
    "upload_id=",
    "upload_id=&upload_id=",
    f"upload_id={TOKEN}&upload_id={TOKEN}",
    f"upload_id={TOKEN}&upload_id=",
    f"upload_id=&upload_id={TOKEN}",
    "xupload_id=1",
    f"xupload_id={TOKEN}",
    f"Upload_id={TOKEN}",
    f"upload_id[]={TOKEN}",
    f"a=upload_id={TOKEN}",
    f"upload_id=={TOKEN}",
    f"upload_id=%20{TOKEN}",
    f"upload_id=+{TOKEN}",
    f"upload_id={TOKEN}%00",
    f"upload_id={TOKEN}%0A",
    f"upload_id={TOKEN};a=1",
    f";upload_id={TOKEN}",
    f"a=1;upload_id={TOKEN}",
    f"upload_id={TOKEN[1:]}",
    f"upload_id={TOKEN}A",
    f"upload_id={TOKEN[:-1]}B",
    f"upload_id={TOKEN[:-1]}=",
    f"upload_id={TOKEN[:-1]}%2B",
    "upload_id=1&uploadType=media",
    "a=upload_id=1&uploadType=media",
    "uploadType=resumable&upload_id=",
    f"%75pload_id%3D{TOKEN}",
    f"upload_id%00={TOKEN}",
    f"key=&upload_id={TOKEN}x",
]
UNREADABLE = ["upload_id=%", "upload_id=%zz", "upload_id%3=1", f"upload_id={TOKEN}&a=%FF"]
PATHS = ["/upload/v1beta/files", "/upload/v1/files", "/upload/v2/files", "/upload/", "/upload/v1beta//files"]


async def opened(closed: Closed, name: str = "web") -> httpx.URL:
    answer = await closed.call(
        "POST", "/upload/v1beta/files", await closed.key(name), json={"file": {}}, headers=SESSION_HEADERS
    )
    assert answer.status_code == 200, answer.text
    return httpx.URL(answer.headers["x-goog-upload-url"])


async def send(port: int, path: str, *headers: str, method: str = "POST") -> RawAnswer:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 1", *headers, "", ""]
    async with connection(port) as line:
        await line.send("\r\n".join(lines).encode() + b"x")
        return await line.answer()


@pytest.mark.parametrize("beginning", BEGINNINGS)
async def test_an_upload_without_a_credential_is_refused_for_any_query(
    closed: Closed, emulator: Emulator, beginning: str
) -> None:
    wanted = dict.fromkeys(QUERIES, 401) | dict.fromkeys(UNREADABLE, 400)

    answers = {
        (query, method, path): (await send(closed.gateway.port, f"{path}?{query}", *BEGINNINGS[beginning])).status
        for query, method, path in itertools.product(wanted, ("POST", "PUT"), PATHS)
    }

    assert {asked: status for asked, status in answers.items() if status != wanted[asked[0]]} == {}
    assert emulator.files == []
    assert emulator.sessions == []


@pytest.mark.parametrize("beginning", BEGINNINGS)
async def test_an_unknown_token_is_answered_like_an_ended_session_and_reaches_nothing(
    closed: Closed, emulator: Emulator, beginning: str
) -> None:
    answers = [
        await send(closed.gateway.port, f"/upload/v1beta/files?upload_id={token}{more}", *BEGINNINGS[beginning])
        for token in (TOKEN, secrets.token_urlsafe(32))
        for more in ("", "&uploadType=resumable", "&uploadType=media")
    ]

    assert {answer.status for answer in answers} == {404}
    assert {answer.headers["x-goog-upload-status"] for answer in answers} == {"cancelled"}
    assert {answer.json["error"]["message"] for answer in answers} == {answers[0].json["error"]["message"]}
    assert emulator.sessions == []
    assert emulator.files == []


async def test_a_token_is_a_credential_on_the_path_of_uploads_alone(closed: Closed) -> None:
    token = (await opened(closed)).params["upload_id"]
    paths = [
        "/upload/v1beta/files/",
        "/upload/v1beta//files",
        "/upload//v1beta/files",
        "/upload/v1beta/files:x",
        "/upload/v1beta%2Ffiles",
        "/upload/v1beta/./files",
        "/upload/v2/files",
        "/upload/",
        "/v1beta/files",
        "/v1beta/models",
        "/api/v1/files",
        "/api/v1/usage",
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    ]

    answers = {
        (path, method): (await send(closed.gateway.port, f"{path}?upload_id={token}", method=method)).status
        for path, method in itertools.product(paths, ("GET", "POST", "PUT", "DELETE"))
    }

    assert set(answers.values()) == {401}


async def test_a_token_does_not_mend_a_bad_credential(closed: Closed) -> None:
    url = await opened(closed)
    credentials = ["Authorization: Bearer gg_nothing", "Authorization: x", "x-api-key: gg_nothing", "x-goog-api-key: a"]

    answers = [
        await send(closed.gateway.port, url.raw_path.decode(), "X-Goog-Upload-Command: query", credential)
        for credential in credentials
    ]
    in_query = await send(closed.gateway.port, f"{url.raw_path.decode()}&key=gg_x", "X-Goog-Upload-Command: query")

    assert [answer.status for answer in (*answers, in_query)] == [401] * 5


async def test_a_chunk_without_a_credential_keeps_the_limits_of_its_owner(closed: Closed) -> None:
    url = await opened(closed)
    await closed.keys.update("web", limits={"max_file_bytes": GRANULE - 1})

    answer = await closed.gateway.client.post(url, content=b"x" * GRANULE, headers=LAST_CHUNK)

    assert answer.status_code == 413


async def test_a_chunk_without_a_credential_is_its_owners_in_the_ledger(closed: Closed, tmp_path: Path) -> None:
    url = await opened(closed)
    [(owner,)] = await selected(tmp_path, "SELECT owner FROM uploads")

    answer = await closed.gateway.client.post(url, content=b"x" * GRANULE, headers=LAST_CHUNK)

    async def is_written() -> bool:
        return len(await selected(tmp_path, "SELECT 1 FROM ledger")) == 2

    await eventually_is(is_written)
    assert answer.status_code == 200
    assert await selected(tmp_path, "SELECT DISTINCT client_id, client_name FROM ledger") == [(owner, "web")]


async def test_a_session_ends_with_its_owners_right_to_upload(closed: Closed) -> None:
    url = await opened(closed)
    await closed.keys.update("web", scopes=set(Scope) - {Scope.NATIVE})

    answer = await closed.gateway.client.post(url, headers={"x-goog-upload-command": "query"})

    assert answer.status_code == 403


@pytest.mark.parametrize("owner", [LOCAL.id, "cli_0000", "jwt:0000", ""])
async def test_a_session_of_an_owner_that_this_gateway_cannot_judge_is_closed(
    closed: Closed, tmp_path: Path, owner: str
) -> None:
    url = await opened(closed)
    await change(tmp_path, f"UPDATE uploads SET owner = '{owner}'")

    answer = await closed.gateway.client.post(url, headers={"x-goog-upload-command": "query"})

    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (404, "cancelled")


async def test_an_open_gateway_serves_the_sessions_of_the_local_owner_alone(emulator: Emulator, tmp_path: Path) -> None:
    query = {"x-goog-upload-command": "query"}
    async with closed_gateway(emulator, tmp_path) as closed:
        of_a_client = (await opened(closed)).raw_path.decode()
    async with running_gateway(emulator.url, tmp_path) as gateway:
        started = await gateway.client.post("/upload/v1beta/files", json={"file": {}}, headers=SESSION_HEADERS)
        of_anyone = await gateway.client.post(started.headers["x-goog-upload-url"], headers=query)
        foreign = await gateway.client.post(of_a_client, headers=query)

    assert (of_anyone.status_code, foreign.status_code) == (200, 404)


async def test_no_request_without_a_client_is_in_the_ledger(closed: Closed, tmp_path: Path) -> None:
    for method, path in (("POST", "/healthz"), ("PUT", "/openapi.json"), ("POST", "/docs"), ("PUT", "/problems/x")):
        assert (await send(closed.gateway.port, path, method=method)).status == 405
    await closed.call("POST", "/api/v1/auth/tokens", await closed.key("web"), json={"user": "u"})

    async def is_written() -> bool:
        return bool(await selected(tmp_path, "SELECT 1 FROM ledger"))

    # The ledger is written in order: rows of the earlier requests would come with this row, or before it.
    await eventually_is(is_written)
    assert await selected(tmp_path, "SELECT operation FROM ledger") == [("createToken",)]
