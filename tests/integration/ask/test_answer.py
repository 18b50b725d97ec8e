"""`ask` after an answer: stdout, stderr and the exit code."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Send

from tests.integration.ask.stand_in import (
    ANSWER,
    PATIENCE_S,
    PROBLEM,
    Ended,
    Received,
    StandIn,
    answers,
    begin,
    deltas,
    event,
    gives,
    send_pieces,
    streams,
)

DONE = event("done", response=ANSWER)


async def test_an_answer_goes_to_stdout_and_nothing_else_does(gateway: StandIn) -> None:
    ended = await gateway.ask("Hello")

    assert ended == Ended(0, "A café ☕.\n", "")


async def test_a_piece_is_printed_before_the_next_one_is_there(gateway: StandIn) -> None:
    seen = asyncio.Event()

    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await begin(send)
        await send({"type": "http.response.body", "body": deltas("One, ")[0], "more_body": True})
        async with asyncio.timeout(PATIENCE_S):
            await seen.wait()
        await send_pieces(send, [*deltas("two."), DONE])

    gateway.answering = answering
    process = await gateway.start("Count")
    assert process.stdout is not None
    first = await process.stdout.readexactly(5)
    seen.set()
    rest = await process.stdout.read()

    assert (first, rest, await process.wait()) == (b"One, ", b"two.\n", 0)


async def test_a_stream_may_be_cut_into_pieces_anywhere(gateway: StandIn) -> None:
    stream = b": keep-alive\n\n" + event("status", stage="new") + b"".join(deltas("Grü", "ße 🐈", "\u2028!\n")) + DONE
    gateway.answering = gives([bytes([byte]) for byte in stream])

    ended = await gateway.ask("Hello")

    assert ended == Ended(0, "Grüße 🐈\u2028!\n", "")


async def test_a_stream_with_crlf_comments_and_unknown_events_is_understood(gateway: StandIn) -> None:
    stream = b"".join([b": hello\n\n", event("novelty", size=[1]), b"retry: 5\nid: 7\n", *deltas("Hi."), DONE])
    gateway.answering = gives([stream.replace(b"\n", b"\r\n")])

    assert await gateway.ask("Hello") == Ended(0, "Hi.\n", "")


async def test_thoughts_are_not_printed(gateway: StandIn) -> None:
    gateway.answering = gives([event("delta", text="Hm.", thought=True), *deltas("Four."), DONE])

    assert await gateway.ask("2+2?") == Ended(0, "Four.\n", "")


async def test_json_prints_the_whole_answer_and_nothing_else(gateway: StandIn) -> None:
    ended = await gateway.ask("Hello", "--json")

    assert ended == Ended(0, json.dumps(ANSWER, ensure_ascii=False) + "\n", "")


@pytest.mark.parametrize(
    ("flags", "stdout"), [((), ANSWER["text"]), (("--json",), json.dumps(ANSWER, ensure_ascii=False))]
)
async def test_without_streaming_the_same_is_printed(gateway: StandIn, flags: tuple[str, ...], stdout: str) -> None:
    gateway.answering = answers(200, "application/json", json.dumps(ANSWER).encode())

    ended = await gateway.ask("Hello", "--no-stream", *flags)

    assert ended == Ended(0, stdout + "\n", "")
    assert gateway.requests[0].headers["accept"] == "application/json"
    assert b'name="stream"\r\n\r\nfalse\r\n' in gateway.requests[0].body


async def test_a_warning_goes_to_stderr(gateway: StandIn) -> None:
    warning = {"code": "ignored-parameter", "field": "temperature", "detail": "The model ignores temperature."}
    gateway.answering = streams({**ANSWER, "warnings": [warning]})

    assert await gateway.ask("Hello") == Ended(0, "A café ☕.\n", "Warning: The model ignores temperature.\n")


@pytest.mark.parametrize(
    ("flags", "stderr"), [(("--keep",), "Kept: talk.mp3 is file_9 until 2026-01-03T00:00:00Z\n"), ((), "")]
)
async def test_the_ids_of_files_that_were_to_be_kept_go_to_stderr(
    gateway: StandIn, flags: tuple[str, ...], stderr: str
) -> None:
    file = {"id": "file_9", "filename": "talk.mp3", "expires_at": "2026-01-03T00:00:00Z"}
    nameless = {"id": None, "filename": None, "expires_at": None}
    gateway.answering = streams({**ANSWER, "files": [file, nameless]})

    assert await gateway.ask("Hello", *flags) == Ended(0, "A café ☕.\n", stderr)


@pytest.mark.parametrize(
    ("members", "code", "stderr"),
    [
        ({"finish_reason": "max_tokens"}, 5, "The answer is cut off: max_tokens\n"),
        ({"finish_reason": "continuation"}, 5, "The answer is cut off: continuation\n"),
        ({"finish_reason": "safety"}, 4, "The model did not answer to the end: safety\n"),
        (
            {"finish_reason": "blocked", "block_reason": "prohibited_content", "text": ""},
            4,
            "The model did not answer to the end: blocked, prohibited_content\n",
        ),
        (
            {"finish_reason": "recitation", "finish_message": "Too\nclose."},
            4,
            "The model did not answer to the end: recitation, Too close.\n",
        ),
        (
            {"finish_reason": "a_reason_of_the_future"},
            4,
            "The model did not answer to the end: a_reason_of_the_future\n",
        ),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--json",)])
async def test_an_answer_that_is_not_whole_has_an_exit_code_of_its_own(
    gateway: StandIn, members: dict[str, Any], code: int, stderr: str, flags: tuple[str, ...]
) -> None:
    gateway.answering = streams({**ANSWER, **members})

    ended = await gateway.ask("Hello", *flags)

    assert (ended.code, ended.stderr) == (code, stderr)


async def test_the_exit_code_is_the_status_of_the_process(gateway: StandIn) -> None:
    gateway.answering = streams({**ANSWER, "finish_reason": "max_tokens"})

    process = await gateway.start("Hello")
    await process.communicate()

    assert process.returncode == 5


@pytest.mark.parametrize(
    ("members", "code"), [({}, 3), ({"status": 503, "code": "busy"}, 1), ({"status": 502, "code": "bad"}, 1)]
)
async def test_an_error_in_a_stream_ends_the_line_before_its_message(
    gateway: StandIn, members: dict[str, Any], code: int
) -> None:
    problem = {**PROBLEM, **members}
    gateway.answering = gives([*deltas("I see"), event("error", problem=problem, text_so_far_chars=5)])

    ended = await gateway.ask("Hello")

    said = f"The file is too large: big.mov has 3 GB; at most 2 GB are taken. ({problem['code']}, req_7)\n"
    assert ended == Ended(code, "I see\n", said)


async def test_a_stream_that_ends_without_done_or_error_is_a_cut(gateway: StandIn) -> None:
    gateway.answering = gives(deltas("I see"))

    ended = await gateway.ask("Hello")

    assert ended == Ended(1, "I see\n", "The answer was cut: its stream ended without the event done.\n")


async def test_json_prints_nothing_when_there_is_no_whole_answer(gateway: StandIn) -> None:
    gateway.answering = gives(deltas("I see"))

    ended = await gateway.ask("Hello", "--json")

    assert (ended.code, ended.stdout) == (1, "")


@pytest.mark.parametrize(
    "stream", [b"data: not JSON\n\n", b'data: {"type": 5}\n\n', event("done"), event("done", response={"text": "x"})]
)
async def test_a_stream_that_is_no_gateways_is_a_failure(gateway: StandIn, stream: bytes) -> None:
    gateway.answering = gives([stream])

    ended = await gateway.ask("Hello")

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"text": "x"}'])
async def test_a_whole_answer_that_is_no_gateways_is_a_failure(gateway: StandIn, body: bytes) -> None:
    gateway.answering = answers(200, "application/json", body)

    ended = await gateway.ask("Hello", "--no-stream")

    assert ended == Ended(1, "", "The answer is not a gateway's; is --url right?\n")
