"""Text files that are not UTF-8: transcoded, or refused with both ways out."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway

TEXT = "Größe;Preis\r\nklein;5 €\r\n"
CP1252 = TEXT.encode("cp1252")
UTF_16 = TEXT.encode("utf-16")


def assert_gemini_has(emulator: Emulator, text: bytes) -> None:
    parts = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"]
    medium = next(part["inlineData"]["data"] for part in parts if "inlineData" in part)
    assert medium == {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}


def assert_transcoded(answer: httpx.Response, sent: bytes, charset: str) -> None:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    (file,), (warning,) = body["files"], body["warnings"]
    assert (file["size_bytes"], file["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())
    assert (warning["code"], warning["field"]) == ("transcoded-text", "file[0]")
    assert charset in warning["detail"]


async def test_a_byte_order_mark_is_believed(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.generate(("prompt", "Sum up"), ("file", ("a.csv", UTF_16, "text/csv")))

    assert_transcoded(answer, UTF_16, "UTF-16")
    assert_gemini_has(emulator, TEXT.encode())


async def test_a_charset_in_the_parts_type_is_transcoded(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.generate(("prompt", "Sum up"), ("file", ("a.csv", CP1252, "text/csv; charset=windows-1252")))

    assert_transcoded(answer, CP1252, "CP1252")
    assert_gemini_has(emulator, TEXT.encode())


@pytest.mark.parametrize("media_type", ["text/csv", "application/vnd.ms-excel", "application/octet-stream"])
async def test_the_field_charset_names_the_charset_of_the_next_file(
    gateway: Gateway, emulator: Emulator, media_type: str
) -> None:
    answer = await gateway.generate(
        ("prompt", "Sum up"), ("charset", "windows-1252"), ("file", ("a.csv", CP1252, media_type))
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["files"][0]["mime_type"] == "text/csv"
    assert "transcoded-text" in [warning["code"] for warning in answer.json()["warnings"]]
    assert_gemini_has(emulator, TEXT.encode())


async def test_contents_may_name_the_charset_before_the_file(gateway: Gateway, emulator: Emulator) -> None:
    contents = '[{"text": "Sum up"}, {"file": 0, "charset": "cp1252"}]'
    file = ("file", ("a.csv", CP1252, "text/csv"))

    answer = await gateway.generate(("contents", contents), file)
    late = await gateway.generate(("file", ("a.csv", TEXT.encode(), "text/csv")), ("contents", contents))

    assert answer.status_code == 200, answer.text
    assert_gemini_has(emulator, TEXT.encode())
    assert late.status_code == 422
    assert "before the file" in late.json()["detail"]


async def test_text_that_is_the_same_in_utf_8_gives_no_warning(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.generate(
        ("prompt", "Sum up"), ("file", ("a.txt", b"plain", "text/plain; charset=ISO-8859-1"))
    )

    assert answer.json()["warnings"] == []
    assert_gemini_has(emulator, b"plain")


@pytest.mark.parametrize("path", ["generate", "files"])
async def test_text_that_names_no_charset_is_refused_with_both_ways_out(gateway: Gateway, path: str) -> None:
    page = b"a" * 4_733 + "ü".encode("latin-1") + b"b" * 300_000

    answer = await gateway.client.post(f"/api/v1/{path}", files=[("file", ("a.html", page, "text/html"))])

    assert answer.status_code == 415, answer.text
    for words in ("file[0]", "at byte 4733", "as UTF-8", "charset=windows-1252", "field 'charset'"):
        assert words in answer.json()["detail"]


async def test_an_unknown_charset_is_a_422_that_names_the_field(gateway: Gateway) -> None:
    answer = await gateway.generate(("charset", "klingon"), ("file", ("a.csv", CP1252, "text/csv")))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "charset"


async def test_an_uploaded_text_is_transcoded_and_reports_the_bytes_sent(gateway: Gateway, emulator: Emulator) -> None:
    form = {"charset": "windows-1252"}
    digest = hashlib.sha256(CP1252).hexdigest()

    made = await gateway.client.post("/api/v1/files", data=form, files={"file": ("a.csv", CP1252, "text/csv")})
    got = await gateway.client.get(f"/api/v1/files/{made.json()['id']}")
    listed = await gateway.client.get("/api/v1/files", params={"sha256": digest})
    other = await gateway.client.put(
        "/api/v1/files/raw/a.csv", content=CP1252, headers={"content-type": "text/csv; charset=cp1251"}
    )

    assert made.status_code == 201, made.text
    assert (got.json()["size_bytes"], got.json()["sha256"]) == (len(CP1252), digest)
    assert [file["id"] for file in listed.json()["data"]] == [made.json()["id"]]
    # The same bytes in another charset are another text at Gemini.
    assert other.status_code == 201, other.text
    assert sorted(int(file["sizeBytes"]) for file in emulator.files) == sorted(
        [len(TEXT.encode()), len(CP1252.decode("cp1251").encode())]
    )


async def test_the_same_text_in_two_charsets_is_uploaded_once(gateway: Gateway, emulator: Emulator) -> None:
    for data, charset in ((UTF_16, "utf-16"), (TEXT.encode(), "utf-8"), (CP1252, "cp1252")):
        answer = await gateway.client.put(
            "/api/v1/files/raw/a.csv", content=data, headers={"content-type": f"text/csv; charset={charset}"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["sha256"] == hashlib.sha256(data).hexdigest()

    assert len(emulator.files) == 1


async def test_a_text_of_many_slices_keeps_its_bytes(gateway: Gateway, emulator: Emulator) -> None:
    text = "äöü€ " * 100_000

    answer = await gateway.generate(
        ("prompt", "Sum up"), ("charset", "cp1252"), ("file", ("a.txt", text.encode("cp1252"), "text/plain"))
    )

    assert answer.status_code == 200, answer.text
    assert_gemini_has(emulator, text.encode())


async def test_a_text_too_large_to_be_held_must_be_utf_8(emulator: Emulator, tmp_path: Path) -> None:
    long = TEXT.encode("cp1252") * 50_000
    plain = b"the same bytes in UTF-8 " * 50_000
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=400_000, chunk_bytes=262_144) as small:
        refused = [
            await small.generate(("charset", "cp1252"), ("file", ("a.csv", long, "text/csv"))),
            await small.client.post(
                "/api/v1/files", data={"charset": "cp1252"}, files={"file": ("a.csv", long, "text/csv")}
            ),
        ]
        taken = await small.generate(("charset", "cp1252"), ("file", ("a.csv", plain, "text/csv")))
        small_text = await small.client.post(
            "/api/v1/files", data={"charset": "cp1252"}, files={"file": ("a.csv", CP1252 * 8_000, "text/csv")}
        )

    for answer in refused:
        assert answer.status_code == 415, answer.text
        assert "too large to be held must be UTF-8" in answer.json()["detail"]
    assert taken.status_code == 200, taken.text
    assert taken.json()["files"][0]["delivery"] == "uploaded"
    assert small_text.status_code == 201, small_text.text


async def test_text_inside_json_is_transcoded(gateway: Gateway, emulator: Emulator) -> None:
    part = {"inline_data": base64.b64encode(CP1252).decode(), "mime_type": "text/csv; charset=windows-1252"}
    message = {"role": "user", "content": [{"text": "Sum up"}, part]}

    answer = await gateway.client.post("/api/v1/chat", json={"messages": [message]})

    assert answer.status_code == 200, answer.text
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["transcoded-text"]
    assert answer.json()["files"][0]["sha256"] == hashlib.sha256(CP1252).hexdigest()
    assert_gemini_has(emulator, TEXT.encode())


async def test_text_inside_json_is_checked_to_its_end(gateway: Gateway) -> None:
    data = base64.b64encode(b"a" * 100_000 + b"\xfc").decode()
    message = {"role": "user", "content": [{"inline_data": data, "mime_type": "text/plain"}]}

    answer = await gateway.client.post("/api/v1/chat", json={"messages": [message]})

    assert answer.status_code == 415
    assert "at byte 100000" in answer.json()["detail"]
