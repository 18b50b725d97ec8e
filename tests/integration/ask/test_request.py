"""The requests that `ask` sends."""

import os
import tracemalloc
from pathlib import Path

import pytest
from starlette.types import Send

from tests.integration.ask.stand_in import ANSWER, Received, StandIn, begin, event, send_pieces

BIG_BYTES = 256 * 1024 * 1024


def form(received: Received, *parts: bytes) -> bytes:
    """Write the form of these parts, with the boundary that the request named."""
    boundary = received.headers["content-type"].removeprefix("multipart/form-data; boundary=").encode()
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def text(name: str, value: str) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def file(name: str, kind: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + data


async def test_prompts_are_sent_before_files_and_each_size_before_its_file(gateway: StandIn, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "notes.xyz").write_bytes(b"\r\n--\r\n")

    ended = await gateway.ask(
        "Grüße", "-f", str(tmp_path / "photo.jpg"), "And this?", "--file", str(tmp_path / "notes.xyz")
    )

    (received,) = gateway.requests
    assert (received.method, received.path) == ("POST", "/api/v1/generate")
    assert received.headers["accept"] == "text/event-stream"
    assert received.headers["content-length"] == str(received.length)
    assert received.body == form(
        received,
        text("stream", "true"),
        text("prompt", "Grüße"),
        text("prompt", "And this?"),
        text("file_size", "3"),
        file("photo.jpg", "image/jpeg", b"\xff\xd8\xff"),
        text("file_size", "6"),
        file("notes.xyz", "application/octet-stream", b"\r\n--\r\n"),
    )
    assert ended.code == 0


async def test_every_option_is_a_field_of_the_form(gateway: StandIn, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object",\n "description": "Größe"}')

    await gateway.ask(
        "Hello", "--model", "flash", "--system", "Be brief.", "--schema", str(schema), "--keep", "--timeout", "12.5",
        "--max-output-tokens", "99", "--temperature", "0.25",
    )  # fmt: skip

    (received,) = gateway.requests
    assert received.body == form(
        received,
        text("stream", "true"),
        text("model", "flash"),
        text("system_instruction", "Be brief."),
        text("keep_file", "true"),
        text("timeout_s", "12.5"),
        text("max_output_tokens", "99"),
        text("temperature", "0.25"),
        text("response_schema", '{"type": "object",\n "description": "Größe"}'),
        text("prompt", "Hello"),
    )


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Катя и 猫 🐈.png", "Катя и 猫 🐈.png"),
        ('say "hi".png', "say %22hi%22.png"),
        ("two\r\nlines.png", "two%0D%0Alines.png"),
        ("semi;colon=%22 'n back\\slash.png", "semi;colon=%22 'n back\\slash.png"),
    ],
)
async def test_a_file_is_named_as_browsers_name_it(gateway: StandIn, tmp_path: Path, name: str, sent: str) -> None:
    (tmp_path / name).write_bytes(b"x")

    await gateway.ask("-f", str(tmp_path / name))

    (received,) = gateway.requests
    parts = (text("stream", "true"), text("file_size", "1"), file(sent, "image/png", b"x"))
    assert received.body == form(received, *parts)


async def test_a_file_whose_name_is_no_text_is_sent_all_the_same(gateway: StandIn, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"x")

    ended = await gateway.ask("-f", str(path))

    assert b'filename="caf?.png"' in gateway.requests[0].body
    assert ended.code == 0


async def test_a_prompt_that_is_a_dash_is_read_from_stdin(gateway: StandIn) -> None:
    await gateway.ask("Translate:", "-", stdin="世界\nGrüße\n".encode())

    (received,) = gateway.requests
    parts = (text("stream", "true"), text("prompt", "Translate:"), text("prompt", "世界\nGrüße\n"))
    assert received.body == form(received, *parts)


async def test_a_large_file_is_sent_whole_and_never_held(gateway: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as film:
        film.truncate(BIG_BYTES)
    await gateway.ask("-f", str(path))
    tracemalloc.start()

    try:
        ended = await gateway.ask("-f", str(path))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    received = gateway.requests[-1]
    assert received.headers["content-length"] == str(received.length)
    assert received.length > BIG_BYTES
    assert ended.code == 0
    # Of it, what the stand-in keeps and what both ends hold of a connection.
    assert peak_bytes < 8_000_000, peak_bytes


async def test_a_file_that_shrinks_while_it_is_sent_ends_the_call(gateway: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as film:
        film.truncate(BIG_BYTES)

    async def shrink(received: Received, send: Send) -> None:
        os.truncate(path, 0)
        await received.until_hangup()

    gateway.answering = shrink
    ended = await gateway.ask("-f", str(path))

    assert ended.code == 2
    assert ended.stderr == f"{path} became shorter while it was sent.\n"


async def test_a_file_that_grows_while_it_is_sent_is_sent_as_long_as_it_was(gateway: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"a" * 1_000_000)

    async def grow(received: Received, send: Send) -> None:
        with path.open("ab") as log:
            log.write(b"b" * 1000)
        await received.read()
        await begin(send)
        await send_pieces(send, [event("done", response=ANSWER)])

    gateway.answering = grow
    ended = await gateway.ask("-f", str(path))

    assert gateway.requests[0].headers["content-length"] == str(gateway.requests[0].length)
    assert ended.code == 0


async def test_a_key_is_sent_from_a_file_and_never_printed(gateway: StandIn, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("gg_secret\n")

    ended = await gateway.ask("Hello", "--key-file", str(tmp_path / "key.txt"))

    (received,) = gateway.requests
    assert received.headers["authorization"] == "Bearer gg_secret"
    assert "gg_secret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("text", [b"", b"one\ntwo", b"gg_\xff"])
async def test_a_file_without_a_key_is_wrong_usage(gateway: StandIn, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key.txt").write_bytes(text)

    ended = await gateway.ask("Hello", "--key-file", str(tmp_path / "key.txt"))

    assert ended.code == 2
    assert gateway.requests == []
