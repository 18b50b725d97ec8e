"""Input made to be costly: refused, or done within bounds, while others are served."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest

from app.media.filenames import clean_filename
from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway
from tests.raw_http import connection, form, head, part, post


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[{"role":"user","content":[' + b'{"text":"a"},' * 60_000 + b'{"text":"a"}]}]}',
        b'{"messages":[{"role":"user","content":[{"text":"a"}]}],"stop":[' + b'"a",' * 60_000 + b'"a"]}',
        b'{"messages":[{"role":"user","content":[{"text":"a"}]}],"metadata":{"a":' + b"[" * 300 + b"]" * 300 + b"}}",
        b'{"messages":[{"role":"user","content":[{"text":"a"}]}],"response_schema":{"not":' * 1
        + b'{"not":' * 300
        + b"{}"
        + b"}" * 302,
    ],
)
async def test_json_of_too_many_or_too_deep_values_is_refused(gateway: Gateway, body: bytes) -> None:
    answer = await gateway.client.post("/api/v1/chat", content=body, headers={"content-type": "application/json"})

    assert answer.status_code in {400, 422}, answer.text[:300]


@pytest.mark.parametrize("field", ["response_schema", "metadata", "contents", "messages"])
async def test_a_field_nested_too_deep_is_refused(gateway: Gateway, field: str) -> None:
    deep = '{"not":' * 260 + "{}" + "}" * 260

    answer = await gateway.generate(("prompt", "x"), (field, deep))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-field")


async def test_a_pattern_that_takes_too_much_is_refused(gateway: Gateway) -> None:
    schema = '{"type": "string", "pattern": "\\\\p{L}{400}<i>"}'

    answer = await gateway.generate(("prompt", "x"), ("response_schema", schema))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-field")


async def test_a_pdf_made_to_take_long_is_not_counted(gateway: Gateway) -> None:
    slow = b"%PDF-1.4\n" + b"1 0 obj<</Length 9>>stream\n" * 9_000

    answer = await asyncio.wait_for(gateway.client.put("/api/v1/files/raw/slow.pdf", content=slow), 20)

    assert answer.status_code == 201
    assert answer.json()["media"]["pages"] is None


async def test_any_number_of_small_files_may_be_kept_at_once(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_uploads=2) as gateway:
        files = [("file", (f"{n}.txt", b"text %d" % n)) for n in range(12)]
        answer = await gateway.generate(("keep_file", "true"), ("prompt", "x"), *files)

    assert answer.status_code == 200, answer.text
    assert len({file["id"] for file in answer.json()["files"]}) == 12


async def test_a_form_that_stays_open_takes_no_place_from_others(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_uploads=2) as gateway, connection(gateway.port) as line:
        small = [part("file", b"text %d" % n, f"{n}.txt") for n in range(5)]
        await line.send(head(length=1 << 20) + part("keep_file", b"true") + b"".join(small))
        for _ in range(100):
            if len(emulator.open_sessions()) >= 4:
                break
            await asyncio.sleep(0.05)
        answer = await gateway.post_form("/api/v1/files", ("file", media("report.pdf")))

    assert answer.status_code == 201


async def test_too_many_file_ids_are_refused(gateway: Gateway) -> None:
    content = [{"file_id": f"file_{n}"} for n in range(1_001)]

    answer = await gateway.client.post("/api/v1/chat", json={"messages": [{"role": "user", "content": content}]})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-field")


@pytest.mark.parametrize(
    "url",
    [
        "https://generativelanguage.googleapis.com\\@x.com/v1beta/files/abc",
        "https://generativelanguage%2Egoogleapis.com/v1beta/files/abc",
        "https://generativelanguage\u3002googleapis\u3002com/v1beta/files/abc",
        "https://u:p@example.com/a.png",
        "https://example.com/a b.png",
        "https://169.254.169.254/latest",
        "https://example.com:8443/a.png",
        "https://localhost/a.png",
        "HTTPS://EXAMPLE.COM/a.png",
    ],
)
async def test_only_plain_urls_are_passed_on(emulator: Emulator, tmp_path: Path, url: str) -> None:
    async with running_gateway(emulator.url, tmp_path, allow_https_urls=True) as gateway:
        content = [{"url": url, "mime_type": "image/png"}]
        answer = await gateway.client.post("/api/v1/chat", json={"messages": [{"role": "user", "content": content}]})

    assert answer.status_code == 422


async def test_names_of_files_are_plain_and_bounded(gateway: Gateway) -> None:
    raw = await gateway.client.put("/api/v1/files/raw/a%0D%0AX-Evil:%001%2541.txt", content=b"some text")
    long = await gateway.post_form("/api/v1/files", ("file", ("n" * 3_000 + ".txt", b"other text")))

    assert raw.json()["filename"] == "a  X-Evil: 1%41.txt"
    assert len(long.json()["filename"]) == 255


HOSTILE_NAMES = [
    "a\0b.txt",
    "x\x1b[31m.txt",
    "a\r\nSet-Cookie: x=1.txt",
    "a\u202etxt.exe",
    "C:\\up\\b.txt",
    "../../c.txt",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_the_filename_field_part_names_raw_names_and_display_names_are_cleaned_alike(
    gateway: Gateway, name: str
) -> None:
    body = form(part("filename", name.encode()), part("file", b"in the field", "plain.txt"))
    in_part = form(part("file", b"in the part", name.replace("\r", "%0D").replace("\n", "%0A").replace("\0", " ")))
    start = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": "7",
        "x-goog-upload-header-content-type": "text/plain",
    }
    session = await gateway.client.post("/upload/v1beta/files", json={"file": {"displayName": name}}, headers=start)
    finalize = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    native = await gateway.client.post(session.headers["x-goog-upload-url"], content=b"natives", headers=finalize)

    answers = [
        await post(gateway.port, body, path="/api/v1/files"),
        await post(gateway.port, in_part, path="/api/v1/files"),
    ]
    raw = await gateway.client.put(f"/api/v1/files/raw/{quote(name, safe='')}", content=b"raw")
    listed = (await gateway.client.get("/api/v1/files", params={"filename": name})).json()["data"]

    assert native.status_code == 200
    # A path's segment ends at a slash, also an escaped one.
    names = [answer.json["filename"] for answer in answers]
    names += [] if "/" in name else [raw.json()["filename"]]
    assert names == [clean_filename(name)] * len(names)
    assert len(listed) == len(names) + 1
    assert {file["filename"] for file in listed} == set(names)


async def test_a_reader_that_stalls_beyond_timeout_s_still_gets_the_end_of_a_begun_stream(
    gateway: Gateway, emulator: Emulator
) -> None:
    emulator.fault("streamGenerateContent", "answer", text="x" * (6 << 20))
    body = part("stream", b"true") + part("timeout_s", b"2") + part("prompt", b"x") + b"--boundary-of-the-tests--\r\n"

    async with connection(gateway.port) as line:
        await line.send(head(length=len(body)) + body)
        await line.reader.readuntil(b"event: delta")
        await asyncio.sleep(3)
        rest = await asyncio.wait_for(_to_end(line.reader), 30)

    assert rest.endswith(b'"files":[],"metadata":null}}\n\n\r\n0\r\n\r\n')


async def _to_end(reader: asyncio.StreamReader) -> bytes:
    seen = bytearray()
    while not seen.endswith(b"0\r\n\r\n"):
        piece = await reader.read(1 << 20)
        assert piece, "the stream was cut"
        seen += piece
    return bytes(seen)
