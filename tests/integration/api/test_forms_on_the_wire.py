"""Forms byte by byte: framing, cuts, boundaries, transfer encodings, connections that go on."""

import asyncio
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway
from tests.integration.api.test_inline_or_upload import sound
from tests.raw_http import BOUNDARY, chunked, connection, form, head, part, post
from tests.waiting import eventually

PNG = media("shapes.png")[1]
BODY = form(part("prompt", b"Hello"), part("file", PNG, "a.png", "Content-Type: image/png"))


async def test_a_form_may_come_in_chunked_transfer_encoding(gateway: Gateway) -> None:
    async with connection(gateway.port) as line:
        await line.send(head() + chunked(BODY[at : at + 100] for at in range(0, len(BODY), 100)))
        answer = await line.answer()

    assert answer.status == 200
    assert answer.json["files"][0]["size_bytes"] == len(PNG)


async def test_a_waiting_client_gets_100_continue(gateway: Gateway) -> None:
    async with connection(gateway.port) as line:
        await line.send(head("/api/v1/generate", "Expect: 100-continue", length=len(BODY)))
        told = await line.reader.readuntil(b"\r\n\r\n")
        await line.send(BODY)
        answer = await line.answer()

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/nowhere", [], 404),
        ("/api/v1/generate?temperature=hot", [], 422),
        ("/api/v1/generate", ["Origin: https://evil.example"], 403),
    ],
)
async def test_a_client_that_waits_is_refused_without_sending(
    gateway: Gateway, path: str, headers: list[str], status: int
) -> None:
    async with connection(gateway.port) as line:
        await line.send(head(path, "Expect: 100-continue", *headers, length=len(BODY)))
        answer = await line.answer()
        is_closed = await line.is_closed()

    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert is_closed


WRONG_NAMES = ["image", "photo", "files[]", "file[0]", "upload", "attachment", "picture.jpg", "file "]


@pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/files", "/api/v1/images/detections"])
@pytest.mark.parametrize("name", WRONG_NAMES)
async def test_a_file_under_a_wrong_name_is_refused_before_its_body_is_read(
    gateway: Gateway, path: str, name: str
) -> None:
    begun = part(name, b"", "a.png", "Content-Type: image/png").removesuffix(b"\r\n")
    async with connection(gateway.port) as line:
        await line.send(head(path, length=1_000_000_000) + begun + PNG)
        answer = await line.answer()

    assert answer.status == 422
    assert "Files go as 'file'." in answer.json["detail"]


async def test_a_field_under_a_name_of_files_is_told_that_files_go_as_file(gateway: Gateway) -> None:
    answer = await gateway.generate(("image", "https://example.com/a.png"))

    assert answer.status_code == 422
    assert "Files go as 'file'." in answer.json()["detail"]


async def test_a_connection_stays_open_after_an_error_with_its_body_read(gateway: Gateway) -> None:
    bad = form(part("prompt", b"Hello"), part("temperature", b"hot"))

    async with connection(gateway.port) as line:
        # The field is refused when it has come; what is left of the body is one delimiter.
        await line.send(head("/api/v1/models", method="GET"))
        first = await line.answer()
        await line.send(head(length=len(BODY)) + BODY)
        second = await line.answer()

    assert (first.status, second.status) == (200, 200)
    assert bad


async def test_a_form_without_its_last_boundary_is_cut(gateway: Gateway) -> None:
    cut = BODY[: -len(f"--{BOUNDARY}--\r\n")]

    answer = await post(gateway.port, cut)

    assert (answer.status, answer.json["code"]) == (400, "malformed-request")


async def test_a_large_file_without_its_last_boundary_leaves_nothing(
    small_gateway: Gateway, emulator: Emulator
) -> None:
    cut = part("file", sound(900_000), "a.wav")

    answer = await post(small_gateway.port, cut)

    assert answer.status == 400
    await eventually(lambda: not emulator.open_sessions())
    assert emulator.files == []


@pytest.mark.parametrize(
    ("charset", "text"),
    [("ISO-8859-1", "Größe"), ("iso-8859-1", "Ã©"), ("windows-1252", "5 €"), ("utf-16", "Größe"), ("UTF-8", "大きさ")],
)
async def test_a_field_is_read_in_its_declared_charset(
    gateway: Gateway, emulator: Emulator, charset: str, text: str
) -> None:
    prompt = part("prompt", text.encode(charset), None, f"Content-Type: text/plain; charset={charset}")

    answer = await post(gateway.port, form(prompt))

    assert answer.status == 200, answer.body
    parts = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"]
    assert parts == [{"text": text}]


@pytest.mark.parametrize(
    ("content_type", "data", "detail"),
    [
        ("text/plain", "Größe".encode("latin-1"), "not UTF-8 at byte 2"),
        ("text/plain; charset=klingon", b"x", "'klingon' is unknown"),
        ("text/plain; charset=utf-16", b"x\0y", "not UTF-16 at byte"),
    ],
)
async def test_a_field_that_is_not_in_its_charset_is_refused(
    gateway: Gateway, content_type: str, data: bytes, detail: str
) -> None:
    answer = await post(gateway.port, form(part("prompt", data, None, f"Content-Type: {content_type}")))

    assert (answer.status, answer.json["code"]) == (400, "malformed-request")
    assert detail in answer.json["detail"]


async def test_the_hidden_charset_field_of_browsers_is_skipped(gateway: Gateway) -> None:
    answer = await post(gateway.port, form(part("_charset_", b"UTF-8"), part("prompt", b"Hello")))

    assert answer.status == 200, answer.body


async def test_a_part_without_its_line_end_does_not_swallow_the_next_part(gateway: Gateway) -> None:
    file = part("file", b"text", "a.txt", "Content-Type: text/plain").removesuffix(b"\r\n") + b"\n"

    answer = await post(gateway.port, form(file, part("prompt", b"Hello")))

    assert (answer.status, answer.json["code"]) == (400, "malformed-request")
    assert "bare line feed" in answer.json["detail"]


async def test_a_name_in_encoded_words_gives_the_file_its_type(gateway: Gateway) -> None:
    disposition = (
        "form-data; name=file; filename=\"=?utf-8?B?w5xiZXJibGljay5jc3Y=?=\"; filename*=utf-8''%C3%9Cberblick.csv"
    )
    file = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\na,b\r\n".encode()

    answer = await post(gateway.port, form(file, part("prompt", b"Sum up")))

    assert answer.status == 200, answer.body
    assert (answer.json["files"][0]["filename"], answer.json["files"][0]["mime_type"]) == ("Überblick.csv", "text/csv")


async def test_a_name_in_an_unknown_code_page_does_not_refuse_the_call(gateway: Gateway) -> None:
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="'.encode()

    answer = await post(gateway.port, form(file + b'\x93\xfa.txt"\r\n\r\ntext\r\n', part("prompt", b"Sum up")))

    assert answer.status == 200, answer.body
    assert answer.json["files"][0]["filename"] == "\ufffd\ufffd.txt"


async def test_look_alikes_of_the_boundary_are_data(gateway: Gateway) -> None:
    data = b"".join(
        [
            b"\r\n--",
            BOUNDARY.encode()[:-1],
            b"\r\n--\r\n-",
            BOUNDARY.encode(),
            b"\r\n--",
            BOUNDARY[:5].encode(),
            b"--\r\n",
        ]
    )

    answer = await post(gateway.port, form(part("file", data, "a.txt", "Content-Type: text/plain")))

    assert answer.status == 200
    assert answer.json["files"][0]["size_bytes"] == len(data)


@pytest.mark.parametrize("boundary", ["x", "+++", "a" * 70, "'()+_,-./:=?"])
async def test_every_allowed_boundary_is_taken(gateway: Gateway, boundary: str) -> None:
    body = BODY.replace(BOUNDARY.encode(), boundary.encode())

    async with connection(gateway.port) as line:
        quoted = f'"{boundary}"'
        await line.send(head(length=len(body), boundary=quoted) + body)
        answer = await line.answer()

    assert answer.status == 200, answer.body


@pytest.mark.parametrize("boundary", ["", "a" * 71])
async def test_other_boundaries_are_refused(gateway: Gateway, boundary: str) -> None:
    async with connection(gateway.port) as line:
        await line.send(head(length=len(BODY), boundary=boundary) + BODY)
        answer = await line.answer()

    assert (answer.status, answer.json["code"]) == (400, "malformed-request")


@pytest.mark.parametrize(
    "broken",
    [
        b"no form at all",
        b"--another\r\n\r\n",
        form(b"--" + BOUNDARY.encode() + b"\r\n\r\nnameless\r\n"),
        form(b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n'),
        form(part("prompt", b"x", None, "X: " + "y" * 10_000)),
        form(part("prompt", b"x", None, *[f"X-{n}: y" for n in range(30)])),
        form(part("prompt", b"\xff\xfe")),
        form(part("prompt", b"eA==", None, "Content-Transfer-Encoding: base64")),
    ],
)
async def test_a_malformed_form_is_400(gateway: Gateway, broken: bytes) -> None:
    answer = await post(gateway.port, broken)

    assert (answer.status, answer.json["code"]) == (400, "malformed-request")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/mixed; boundary=x"])
async def test_another_content_type_is_415(gateway: Gateway, kind: str) -> None:
    answer = await gateway.client.post("/api/v1/generate", content=b"{}", headers={"content-type": kind})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


async def test_a_part_may_state_its_own_length(gateway: Gateway) -> None:
    right = part("file", PNG, "a.png", f"Content-Length: {len(PNG)}")
    wrong = part("file", PNG, "a.png", f"Content-Length: {len(PNG) + 1}")

    answers = [await post(gateway.port, form(one)) for one in (right, wrong)]

    assert [answer.status for answer in answers] == [200, 400]
    assert answers[1].json["code"] == "wrong-claim"


@pytest.mark.parametrize(("path", "success"), [("generate", 200), ("files", 201), ("images/captions", 200)])
async def test_a_wrong_content_length_of_a_part_is_a_400_that_names_the_header(
    gateway: Gateway, path: str, success: int
) -> None:
    right, wrong = (part("file", PNG, "a.png", f"Content-Length: {len(PNG) + more}") for more in (0, 5))
    claim = part("file_size", str(len(PNG)).encode())

    answers = [
        await post(gateway.port, form(*parts), path=f"/api/v1/{path}") for parts in ([right], [wrong], [claim, wrong])
    ]

    assert [answer.status for answer in answers] == [success, 400, 400]
    for refused in answers[1:]:
        assert refused.json["code"] == "wrong-claim"
        assert "the part's Content-Length" in refused.json["detail"]
    assert "file_size" not in answers[1].json["detail"]
    assert "file_size" in answers[2].json["detail"]


async def test_too_many_parts_are_refused(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_parts=5) as gateway:
        answer = await post(gateway.port, form(*[part("prompt", b"x")] * 6))

    assert (answer.status, answer.json["code"]) == (422, "invalid-field")


async def test_fields_are_bounded_all_together(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_fields_bytes=2_000) as gateway:
        fits = await post(gateway.port, form(part("prompt", b"x" * 1_000), part("prompt", b"x" * 1_000)))
        too_large = await post(gateway.port, form(part("prompt", b"x" * 1_000), part("prompt", b"x" * 1_001)))

    assert fits.status == 200
    assert (too_large.status, too_large.json["code"]) == (413, "fields-too-large")
    assert "text file" in too_large.json["detail"]


async def test_a_body_that_stalls_is_408(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, idle_timeout_s=0.3) as gateway, connection(gateway.port) as line:
        await line.send(head(length=len(BODY)) + BODY[:50])
        answer = await line.answer()
        is_closed = await line.is_closed()

    assert (answer.status, answer.json["code"]) == (408, "slow-body")
    assert is_closed


async def test_an_early_answer_is_followed_by_a_bounded_drain(gateway: Gateway) -> None:
    async with connection(gateway.port) as line:
        await line.send(head(length=1 << 30) + part("nonsense", b"x") + part("file", b"", "a.mp4")[:-2])
        answer = await line.answer()
        sent = 0
        try:
            while sent < 64 << 20:
                await asyncio.wait_for(line.send(bytes(65_536)), 10)
                sent += 65_536
        except ConnectionError:
            pass

    assert answer.status == 422
    assert answer.headers["connection"] == "close"
    assert sent < 32 << 20
