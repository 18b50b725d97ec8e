import hashlib

import httpx
import pytest

from emulator_tests.integration.calls import Emulator, emulator_with, error_of
from gemini_emulator import EmulatorConfig

RELATED = {"X-Goog-Upload-Protocol": "multipart", "Content-Type": 'multipart/related; boundary="the=boundary"'}


def related(*parts: tuple[str, bytes]) -> bytes:
    head = b"".join(
        b"--the=boundary\r\nContent-Type: " + content_type.encode() + b"\r\n\r\n" + data + b"\r\n"
        for content_type, data in parts
    )
    return head + b"--the=boundary--"


def send(emulator: Emulator, body: bytes, headers: dict[str, str], query: str = "") -> httpx.Response:
    return emulator.http.post(f"/upload/v1beta/files{query}", content=body, headers=headers)


def test_a_raw_body_is_the_file(emulator: Emulator) -> None:
    headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/csv", "X-Goog-Upload-File-Name": "table.csv"}

    answer = send(emulator, b"a,b\n", headers)

    file = answer.json()["file"]
    assert answer.status_code == 200
    assert (file["mimeType"], file["sizeBytes"], file["displayName"]) == ("text/csv", "4", "table.csv")


def test_the_query_may_name_the_protocol(emulator: Emulator) -> None:
    answer = send(emulator, b"a,b\n", {"Content-Type": "text/csv"}, "?uploadType=media")

    assert answer.json()["file"]["mimeType"] == "text/csv"


def test_a_large_raw_body_is_hashed_whole(emulator: Emulator) -> None:
    data = bytes(range(256)) * 20_000

    send(emulator, data, {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"})

    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("query", ["", "?uploadType=multipart"])
def test_a_related_body_is_metadata_and_then_the_bytes(emulator: Emulator, query: str) -> None:
    metadata = b'{"file": {"displayName": "Two parts", "name": "files/two-parts"}}'
    data = b"line\r\n--the=boundar\r\n" * 1000

    answer = send(emulator, related(("application/json", metadata), ("text/plain", data)), RELATED, query)

    file = answer.json()["file"]
    assert (file["name"], file["displayName"], file["mimeType"]) == ("files/two-parts", "Two parts", "text/plain")
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        related(("application/json", b"{}")),
        related(("application/json", b"{}"), ("text/plain", b"a"), ("text/plain", b"b")),
        related(("application/json", b"{"), ("text/plain", b"a")),
        related(("application/json", b'{"files": {}}'), ("text/plain", b"a")),
        related(("application/json", b"{}"), ("text/plain", b"a"))[:-2],
        b"no boundary at all",
        b"",
    ],
)
def test_a_related_body_that_is_not_whole_leaves_no_file(emulator: Emulator, body: bytes) -> None:
    answer = send(emulator, body, RELATED)

    assert error_of(answer)[:2] == (400, "INVALID_ARGUMENT")
    assert emulator.state().files() == []


def test_a_related_body_needs_a_boundary(emulator: Emulator) -> None:
    answer = send(emulator, b"x", {**RELATED, "Content-Type": "multipart/related"})

    assert error_of(answer)[0] == 400


def test_an_upload_of_no_known_protocol_is_refused(emulator: Emulator) -> None:
    assert error_of(send(emulator, b"x", {}))[0] == 400


def test_a_raw_body_beyond_the_limits_is_refused() -> None:
    with emulator_with(EmulatorConfig(max_file_bytes=2_000_000, project_quota_bytes=3_000_000)) as emulator:
        headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}

        too_large = send(emulator, b"x" * 2_000_001, headers)
        send(emulator, b"x" * 2_000_000, headers)
        too_much = send(emulator, b"x" * 2_000_000, headers)

        assert error_of(too_large)[0] == 400
        assert error_of(too_much)[:2] == (429, "RESOURCE_EXHAUSTED")
        assert len(emulator.state().files()) == 1
