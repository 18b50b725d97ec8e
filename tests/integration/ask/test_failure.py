"""`ask` after a refusal, a failure, wrong usage and an interruption."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Send

from tests.integration.ask.stand_in import (
    PATIENCE_S,
    PROBLEM,
    Ended,
    Received,
    StandIn,
    answers,
    begin,
    deltas,
    event,
    raw_server,
    refuses,
    run,
    send_pieces,
)

BIG_BYTES = 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("members", "code", "stderr"),
    [
        (
            {},
            3,
            "The file is too large: big.mov has 3 GB; at most 2 GB are taken. (file-too-large, req_7)",
        ),
        (
            {
                "status": 422,
                "title": "A field is not valid",
                "detail": "fps: is above 24.",
                "code": "invalid-field",
                "errors": [
                    {"field": "fps", "received": "99", "allowed": None, "message": "is above 24"},
                    {"field": "end", "received": "1", "allowed": None, "message": "is before start"},
                ],
            },
            3,
            "A field is not valid: fps: is above 24. end: is before start. (invalid-field, req_7)",
        ),
        (
            {
                "status": 429,
                "title": "Too many calls",
                "detail": "Wait.",
                "code": "rate-limited",
                "retry_after_s": 11.6,
            },
            3,
            "Too many calls: Wait. Try again in 12 s. (rate-limited, req_7)",
        ),
        (
            {"status": 504, "title": "Gemini is late", "detail": "It took\nmore than 5 s.", "code": "upstream-timeout"},
            1,
            "Gemini is late: It took more than 5 s. (upstream-timeout, req_7)",
        ),
    ],
)
async def test_a_problem_is_told_in_one_line(gateway: StandIn, members: dict[str, Any], code: int, stderr: str) -> None:
    gateway.answering = refuses({**PROBLEM, **members})

    assert await gateway.ask("Hello") == Ended(code, "", f"{stderr}\n")


@pytest.mark.parametrize(("status", "code"), [(404, 3), (502, 1), (599, 1), (204, 1)])
async def test_an_error_that_is_no_problem_document_is_told_too(gateway: StandIn, status: int, code: int) -> None:
    gateway.answering = answers(status, "text/html", b"" if status == 204 else b"<h1>No\nway</h1>")

    ended = await gateway.ask("Hello")

    assert ended.code == code
    assert ended.stderr.startswith(f"{status} ")
    assert ended.stderr.count("\n") == 1


async def test_an_endless_error_is_not_read_to_its_end(gateway: StandIn) -> None:
    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await begin(send, 500, "text/plain")
        await send_pieces(send, (b"x" * 65_536 for _ in range(1_000)))

    gateway.answering = answering
    ended = await gateway.ask("Hello")

    assert ended == Ended(1, "", "The answer is above 262144 bytes; is --url right?\n")


async def test_a_page_is_no_answer(gateway: StandIn) -> None:
    gateway.answering = answers(200, "text/html", b"<h1>Welcome</h1>")

    ended = await gateway.ask("Hello")

    assert ended == Ended(1, "", f"{gateway.url} does not answer like a gateway; is --url right?\n")


async def test_a_redirect_is_told_and_not_followed(gateway: StandIn) -> None:
    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await begin(send, 307, "text/html", location="https://elsewhere.example/api/v1/generate")
        await send({"type": "http.response.body", "body": b""})

    gateway.answering = answering
    ended = await gateway.ask("Hello")

    assert ended.code == 1
    assert "redirects to https://elsewhere.example/api/v1/generate" in ended.stderr
    assert len(gateway.requests) == 1


async def test_a_refusal_is_read_although_the_body_could_not_be_sent(tmp_path: Path) -> None:
    body = json.dumps(PROBLEM).encode()
    head = (
        b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n"
    )
    path = tmp_path / "big.mov"
    with path.open("wb") as film:
        film.truncate(BIG_BYTES)

    async with raw_server(head % len(body) + body) as url:
        ended = await run("-f", str(path), "--url", url)

    assert ended == Ended(
        3, "", "The file is too large: big.mov has 3 GB; at most 2 GB are taken. (file-too-large, req_7)\n"
    )


async def test_a_connection_that_breaks_before_any_answer_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "big.mov"
    with path.open("wb") as film:
        film.truncate(BIG_BYTES)

    async with raw_server(b"") as url:
        ended = await run("-f", str(path), "--url", url)

    assert ended.code == 1
    assert ended.stderr.startswith(f"The connection to {url} was cut: ")


async def test_a_connection_that_breaks_in_a_stream_is_a_failure() -> None:
    piece = deltas("I see")[0]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    async with raw_server(head + b"%x\r\n%s\r\n" % (len(piece), piece)) as url:
        ended = await run("Hello", "--url", url)

    assert (ended.code, ended.stdout) == (1, "I see\n")
    assert ended.stderr.startswith(f"The connection to {url} was cut: ")


async def test_a_refused_connection_names_the_command_that_starts_a_gateway() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ended = await run("Hello", "--url", url)

    assert ended.code == 6
    assert ended.stderr.startswith(f"No gateway answers at {url} (")
    assert ended.stderr.endswith("). Start one with: gemini-gateway dev\n")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://127.0.0.1:port", "http://[::1", ""])
async def test_an_url_that_is_none_is_wrong_usage(url: str) -> None:
    ended = await run("Hello", "--url", url)

    assert ended.code == 2
    assert "is not the address of a gateway: " in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "stderr"),
    [
        ((), None, "The question is empty: give a prompt, a file (-f), or both."),
        (("",), None, "The question is empty: give a prompt, a file (-f), or both."),
        (("-f", "missing.jpg"), None, "missing.jpg cannot be read: No such file or directory."),
        (("-f", "."), None, ". is not a regular file; its length is unknown, so it cannot be sent."),
        (("-f", "pipe"), None, "pipe is not a regular file; its length is unknown, so it cannot be sent."),
        (
            ("-f", "photo.jpg", "--schema", "missing.json"),
            None,
            "missing.json cannot be read: No such file or directory.",
        ),
        (("Hi", "--schema", "photo.jpg"), None, "photo.jpg is not JSON: Expecting value: line 1 column 1 (char 0)."),
        (("Hi", "--schema", "deep.json"), None, "deep.json is nested too deeply."),
        (("-", "-"), b"x", "stdin can be read only once: use - once."),
        (("-",), b"\xff", "stdin is not UTF-8 text; save it as a file and send it with -f."),
        (("-",), b"x" * 4_194_305, "stdin has more than 4194304 bytes; save it as a file and send it with -f."),
        ((os.fsdecode(b"caf\xe9"),), None, "The prompt is not UTF-8."),
    ],
)
async def test_an_unreadable_file_is_wrong_usage(
    gateway: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    stdin: bytes | None,
    stderr: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    os.mkfifo(tmp_path / "pipe")

    ended = await gateway.ask(*arguments, stdin=stdin)

    assert ended == Ended(2, "", f"{stderr}\n")
    assert gateway.requests == []


async def test_an_unknown_option_is_wrong_usage(gateway: StandIn) -> None:
    assert (await gateway.ask("Hello", "--nonsense")).code == 2


async def test_an_interrupted_call_ends_with_130_and_leaves_the_gateway(gateway: StandIn) -> None:
    is_asked, is_gone = asyncio.Event(), asyncio.Event()

    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await begin(send)
        await send({"type": "http.response.body", "body": event("status", stage="generating"), "more_body": True})
        is_asked.set()
        await received.until_hangup()
        is_gone.set()

    gateway.answering = answering
    process = await gateway.start("Hello")
    async with asyncio.timeout(PATIENCE_S):
        await is_asked.wait()
        process.send_signal(signal.SIGINT)
        stdout, stderr = await process.communicate()
        await is_gone.wait()

    assert (process.returncode, stdout, stderr) == (130, b"", b"")


async def test_the_help_names_every_exit_code() -> None:
    ended = await run("--help")

    said = " ".join(ended.stdout.split())
    assert [f"{code} " in said.partition("Exit codes:")[2] for code in (*range(7), 130)] == [True] * 8
