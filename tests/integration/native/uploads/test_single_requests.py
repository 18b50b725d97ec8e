"""The forms of one request: the file is the body, or follows its description."""

import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import FILE
from tests.waiting import eventually


async def test_a_file_may_be_the_body(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    for query, headers in (("", {"x-goog-upload-protocol": "raw"}), ("?uploadType=media", {})):
        answer = await closed.call(
            "POST", f"/upload/v1beta/files{query}", key, content=FILE, headers={"content-type": "text/x", **headers}
        )
        assert answer.status_code == 200, answer.text
        assert (answer.json()["file"]["mimeType"], answer.json()["file"]["sizeBytes"]) == ("text/x", str(len(FILE)))
    assert len(emulator.files) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_the_file_name_of_a_raw_upload_is_read_as_utf_8_or_else_as_latin_1(closed: Closed, encoding: str) -> None:
    name = "TÜR.txt"
    headers = {
        b"x-goog-upload-protocol": b"raw",
        b"content-type": b"text/plain",
        b"x-goog-upload-file-name": name.encode(encoding),
        b"x-goog-api-key": (await closed.key("web")).encode(),
    }

    answer = await closed.gateway.client.post("/upload/v1beta/files", content=FILE, headers=headers)

    assert answer.json()["file"]["displayName"] == name


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
