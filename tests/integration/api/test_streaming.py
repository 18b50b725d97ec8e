"""Answers as server-sent events."""

import asyncio
import json
from pathlib import Path

import pytest

from app.api import responses
from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, read_events, running_gateway
from tests.integration.api.test_inline_or_upload import sound
from tests.raw_http import connection, form, head, part


async def test_a_stream_goes_from_start_over_deltas_to_done(gateway: Gateway) -> None:
    events = await gateway.events(("prompt", "Hello"), ("file", media("shapes.png")))

    kinds = [event["type"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert kinds.count("done") == 1
    assert "error" not in kinds
    assert events[0]["files"][0]["delivery"] == "inline"


async def test_the_deltas_are_the_text(gateway: Gateway) -> None:
    events = await gateway.events(("prompt", "Hello " * 50), ("include_thoughts", "true"))

    response = events[-1]["response"]
    deltas = [event for event in events if event["type"] == "delta"]
    assert len(deltas) > 2
    assert "".join(event["text"] for event in deltas if not event.get("thought")) == response["text"]
    assert "".join(event["text"] for event in deltas if event.get("thought")) == response["thoughts"]


async def test_the_streamed_answer_equals_the_whole_answer(gateway: Gateway) -> None:
    streamed = (await gateway.events(("prompt", "Hello"), ("file", media("report.pdf"))))[-1]["response"]
    whole = (await gateway.generate(("prompt", "Hello"), ("file", media("report.pdf")))).json()

    for varying in ("id", "created_at"):
        del streamed[varying], whole[varying]
    assert streamed == whole


async def test_status_events_report_the_stages_of_a_large_file(small_gateway: Gateway) -> None:
    events = await small_gateway.events(("prompt", "x"), ("file", media("scenes.mp4")))

    stages = [event["stage"] for event in events if event["type"] == "status"]
    assert list(dict.fromkeys(stages)) == ["uploading", "processing", "generating"]
    assert all("bytes" in event for event in events if event.get("stage") == "uploading")


async def test_events_leave_out_absent_fields(gateway: Gateway) -> None:
    events = await gateway.events(("prompt", "Hello"))

    assert set(next(event for event in events if event["type"] == "delta")) == {"type", "text"}


@pytest.mark.parametrize(
    ("accept", "is_stream"),
    [
        ("text/event-stream", True),
        ("text/event-stream, */*", False),
        ("application/json, text/event-stream", False),
        ("*/*", False),
    ],
)
async def test_without_the_field_accept_decides(gateway: Gateway, accept: str, *, is_stream: bool) -> None:
    answer = await gateway.generate(("prompt", "Hello"), headers={"accept": accept})

    assert answer.headers["content-type"].startswith("text/event-stream") is is_stream


async def test_the_field_wins_over_accept(gateway: Gateway) -> None:
    answer = await gateway.generate(("stream", "0"), ("prompt", "x"), headers={"accept": "text/event-stream"})
    streamed = await gateway.generate(("stream", "1"), ("prompt", "x"), headers={"accept": "text/plain"})

    assert answer.headers["content-type"] == "application/json"
    assert read_events(streamed.text)[-1]["type"] == "done"


async def test_an_error_before_the_start_is_an_ordinary_problem(gateway: Gateway) -> None:
    answer = await gateway.generate(("stream", "true"), ("temperature", "hot"), ("prompt", "x"))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_error_of_gemini_before_its_first_word_is_an_event(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "status", code=503, message="The model is overloaded.")

    events = await gateway.events(("prompt", "Hello"))

    assert [event["type"] for event in events][-1] == "error"
    assert events[-1]["problem"]["code"] == "upstream-unavailable"
    assert events[-1]["text_so_far_chars"] == 0


async def test_an_error_in_mid_stream_says_how_much_text_had_come(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "stream_error", after_chunks=1, code=503, status="UNAVAILABLE", message="x")

    events = await gateway.events(("prompt", "Hello " * 50))

    text = "".join(event["text"] for event in events if event["type"] == "delta")
    assert events[-1]["type"] == "error"
    assert 0 < events[-1]["text_so_far_chars"] == len(text)


async def test_a_stream_that_gemini_cuts_ends_with_an_error(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "cut", after_chunks=1)

    events = await gateway.events(("prompt", "Hello " * 50))

    assert (events[-1]["type"], events[-1]["problem"]["code"]) == ("error", "upstream-failed")


async def test_an_upload_that_fails_after_the_start_is_an_event(small_gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "dead_session")

    events = await small_gateway.events(("prompt", "x"), ("file", ("a.wav", sound(300_000))))

    assert (events[-1]["type"], events[-1]["problem"]["code"]) == ("error", "upload-failed")


async def test_silence_is_filled_with_comments(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "KEEP_ALIVE_S", 0.1)
    emulator.fault("streamGenerateContent", "slow", delay_s=1)

    async with running_gateway(emulator.url, tmp_path) as gateway:
        answer = await gateway.generate(("stream", "true"), ("prompt", "x"))

    assert "\n\n: keep-alive\n\n" in answer.text
    assert read_events(answer.text)[-1]["type"] == "done"


async def test_deltas_are_relayed_as_they_come(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "drip", delay_s=600)
    body = form(part("stream", b"true"), part("prompt", b"Hello " * 50))

    async with connection(gateway.port) as line:
        await line.send(head(length=len(body)) + body)
        seen = await asyncio.wait_for(line.reader.readuntil(b"event: delta"), 20)

    assert b"event: done" not in seen


async def test_a_late_answer_ends_the_stream_with_an_error(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "slow", delay_s=600)

    events = await gateway.events(("prompt", "x"), ("timeout_s", "0.3"))

    assert events[-1]["problem"]["code"] == "upstream-timeout"


async def test_chat_streams_the_same_events(gateway: Gateway) -> None:
    body = {"stream": True, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}

    answer = await gateway.client.post("/api/v1/chat", json=body)

    assert read_events(answer.text)[-1]["response"]["finish_reason"] == "stop"
    assert json.loads(answer.text.split("data: ")[1].split("\n")[0])["type"] == "start"
