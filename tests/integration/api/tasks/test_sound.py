"""Transcriptions and subtitles, against recordings whose loud and silent passages are known."""

import json
from typing import Any

import httpx
import pysubs2
import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media
from tests.integration.api.tasks.asking import COMMON, ask, problem

FORMATS = ["wav", "mp3", "aiff", "aac", "ogg", "flac"]
SPEECH = ("file", media("speech.mp3"))
DURATION = 7.41


def said(*segments: tuple[str, str, str]) -> str:
    """Return an answer like a model's."""
    told = [{"start": start, "end": end, "speaker": "Speaker 1", "text": text} for start, end, text in segments]
    return json.dumps({"language": "en", "segments": told})


def times(answer: Any) -> list[tuple[float, float]]:
    return [(segment["start"], segment["end"]) for segment in answer["segments"]]


@pytest.mark.parametrize("name", FORMATS)
async def test_segments_are_the_loud_passages(gateway: Gateway, name: str) -> None:
    answer = await ask(gateway, "audio/transcriptions", ("file", media(f"speech.{name}")))

    assert set(answer) == COMMON | {"language", "duration", "text", "segments"}
    assert answer["duration"] == pytest.approx(DURATION, abs=0.15)
    first, second = times(answer)
    assert first[0] == pytest.approx(0.5, abs=0.2)
    assert second[0] - first[1] == pytest.approx(1.0, abs=0.4)
    assert second[1] == pytest.approx(DURATION - 0.5, abs=0.3)
    assert [set(segment) for segment in answer["segments"]] == [{"index", "start", "end", "speaker", "text"}] * 2
    assert [segment["index"] for segment in answer["segments"]] == [0, 1]
    assert answer["text"] == " ".join(segment["text"] for segment in answer["segments"])


async def test_a_passage_limits_the_work(gateway: Gateway, emulator: Emulator) -> None:
    answer = await ask(gateway, "audio/transcriptions", SPEECH, ("start", "0:03.5"), ("end", "7"))

    assert len(answer["segments"]) == 1
    assert 3.5 <= answer["segments"][0]["start"] < answer["segments"][0]["end"] <= 7
    instruction = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][-1]["text"]
    assert "00:03.5" in instruction
    assert "00:07.0" in instruction


@pytest.mark.parametrize(("start", "end"), [("5", "5"), ("5", "4"), ("8", "9"), ("8", "")])
async def test_a_passage_must_end_after_its_start(gateway: Gateway, emulator: Emulator, start: str, end: str) -> None:
    answer = await gateway.post_form("/api/v1/audio/transcriptions", SPEECH, ("start", start), ("end", end))

    told = problem(answer, 422, "invalid-field")
    assert told["errors"][0]["field"] in {"start", "end"}
    assert emulator.requests("generateContent") == []


async def test_times_are_read_in_every_form_and_kept_within_the_recording(gateway: Gateway, emulator: Emulator) -> None:
    text = said(("00:01", "0:00:02.5", "one"), ("3.25", "4", "two"), ("00:05", "99:00", "three"))
    emulator.fault("generateContent", "answer", text=text)

    answer = await ask(gateway, "audio/transcriptions", SPEECH)

    assert times(answer)[:2] == [(1.0, 2.5), (3.25, 4.0)]
    assert times(answer)[2] == pytest.approx((5.0, DURATION), abs=0.15)
    assert answer["text"] == "one two three"
    assert answer["language"] == "en"


async def test_a_translation_is_asked_for(gateway: Gateway, emulator: Emulator) -> None:
    await ask(gateway, "audio/transcriptions", SPEECH, ("translate_to", "Portuguese"))

    instruction = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][-1]["text"]
    assert "Portuguese" in instruction


async def test_the_sound_of_a_video_is_heard_too(gateway: Gateway) -> None:
    answer = await ask(gateway, "audio/transcriptions", ("file", media("scenes.mp4")))

    assert answer["duration"] == pytest.approx(6, abs=0.1)
    assert len(answer["segments"]) == 1


async def test_a_long_answer_is_continued_without_repeats_or_gaps(gateway: Gateway, emulator: Emulator) -> None:
    whole = await ask(gateway, "audio/transcriptions", SPEECH)
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=180)

    answer = await ask(gateway, "audio/transcriptions", SPEECH)

    assert answer["segments"] == whole["segments"]
    assert answer["complete"] is True
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["input_tokens"] > whole["usage"]["input_tokens"]
    first, second = emulator.requests("generateContent")[-2:]
    assert [turn["role"] for turn in second["json"]["contents"]] == ["user", "model", "user"]
    assert second["json"]["contents"][0] == first["json"]["contents"][0]


async def test_an_always_cut_answer_is_incomplete_after_eight_continuations(
    gateway: Gateway, emulator: Emulator
) -> None:
    for number in range(20):
        text = said((f"00:0{number / 4:.2f}", f"00:0{number / 4 + 0.2:.2f}", f"word {number}"))[:-2]
        emulator.fault("generateContent", "answer", text=text)
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", count=20)

    answer = await ask(gateway, "audio/transcriptions", SPEECH)

    assert answer["complete"] is False
    assert answer["finish_reason"] == "max_tokens"
    assert [segment["text"] for segment in answer["segments"]] == [f"word {number}" for number in range(9)]
    assert len(emulator.requests("generateContent")) == 9


async def test_a_failed_continuation_keeps_the_segments_so_far(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=180)
    emulator.fault("generateContent", "status", code=400, skip=1)

    answer = await ask(gateway, "audio/transcriptions", SPEECH)

    assert len(answer["segments"]) == 1
    assert answer["complete"] is False
    assert [warning["code"] for warning in answer["warnings"]] == ["continuation-failed"]


async def subtitles(gateway: Gateway, *parts: Any) -> httpx.Response:
    answer = await gateway.post_form("/api/v1/audio/subtitles", SPEECH, *parts)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer


@pytest.mark.parametrize("subtitle_format", [None, "srt", "vtt"])
async def test_subtitles_show_the_segments_at_their_times(gateway: Gateway, subtitle_format: str | None) -> None:
    whole = await ask(gateway, "audio/transcriptions", SPEECH)

    answer = await subtitles(gateway, *([] if subtitle_format is None else [("format", subtitle_format)]))

    cues = pysubs2.SSAFile.from_string(answer.text, format_=subtitle_format or "srt")
    shown = [(cue.start / 1000, cue.end / 1000) for cue in cues]
    assert shown[0][0] == pytest.approx(whole["segments"][0]["start"], abs=0.001)
    assert shown[-1][1] == pytest.approx(whole["segments"][-1]["end"], abs=0.001)
    words = " ".join(cue.plaintext.replace("\n", " ") for cue in cues).split()
    assert words == whole["text"].split()
    assert "x-gateway-complete" not in answer.headers


async def test_subtitles_as_text_are_the_text(gateway: Gateway) -> None:
    whole = await ask(gateway, "audio/transcriptions", SPEECH)

    answer = await subtitles(gateway, ("format", "text"))

    assert answer.text.split() == whole["text"].split()


async def test_subtitles_that_were_cut_say_so_in_a_header(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=180)
    emulator.fault("generateContent", "status", code=400, skip=1)

    answer = await subtitles(gateway)

    assert answer.headers["x-gateway-complete"] == "false"
