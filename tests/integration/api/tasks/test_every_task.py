"""Every task: its form, its files, its failures."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulator_process import Emulator
from tests.gateway import MEDIA, Gateway, media, running_gateway
from tests.integration.api.tasks.asking import ask, problem
from tests.waiting import eventually

PICTURE = ("file", media("shapes.png"))
TASKS: dict[str, list[Any]] = {
    "images/captions": [PICTURE],
    "images/detections": [PICTURE],
    "images/segmentations": [PICTURE],
    "images/comparisons": [PICTURE, PICTURE],
    "audio/transcriptions": [("file", media("speech.mp3"))],
    "audio/subtitles": [("file", media("speech.mp3"))],
    "documents/markdown": [("file", media("report.pdf"))],
    "videos/descriptions": [("file", media("scenes.mp4"))],
}
EVERY = pytest.mark.parametrize("task", TASKS)


@EVERY
async def test_a_blocked_answer_is_a_problem_with_the_reason(gateway: Gateway, emulator: Emulator, task: str) -> None:
    emulator.fault("generateContent", "block", reason="PROHIBITED_CONTENT")

    answer = await gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    assert problem(answer, 422, "blocked-by-model")["upstream"]["code"] == "PROHIBITED_CONTENT"


@EVERY
async def test_an_answer_withheld_for_safety_is_a_problem_with_the_reason(
    gateway: Gateway, emulator: Emulator, task: str
) -> None:
    emulator.fault("generateContent", "finish", reason="SAFETY", chars=0)

    answer = await gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    assert problem(answer, 422, "blocked-by-model")["upstream"]["code"] == "SAFETY"


@EVERY
@pytest.mark.parametrize("text", ["I cannot do that.", '{"surprise": 3}', ""])
async def test_an_unreadable_answer_is_a_problem_with_the_finish_reason(
    gateway: Gateway, emulator: Emulator, task: str, text: str
) -> None:
    emulator.fault("generateContent", "answer", text=text)

    answer = await gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    told = problem(answer, 502, "bad-model-answer")
    assert told["upstream"]["code"] == "STOP"
    assert "surprise" not in answer.text


@EVERY
async def test_an_answer_cut_before_anything_came_is_incomplete(
    gateway: Gateway, emulator: Emulator, task: str
) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=3)

    answer = await gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    assert answer.status_code == 200
    if task == "audio/subtitles":
        assert answer.headers["x-gateway-complete"] == "false"
    else:
        assert (answer.json()["complete"], answer.json()["finish_reason"]) == (False, "max_tokens")


@EVERY
async def test_a_file_by_its_id_does_as_well(gateway: Gateway, task: str) -> None:
    ids = [(await gateway.post_form("/api/v1/files", part)).json()["id"] for part in TASKS[task]]

    answer = await gateway.post_form(f"/api/v1/{task}", *(("file_id", one) for one in ids))

    assert answer.status_code == 200, answer.text


@EVERY
async def test_a_streamed_file_serves_the_task_and_is_deleted(
    small_gateway: Gateway, emulator: Emulator, task: str
) -> None:
    answer = await small_gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    assert answer.status_code == 200, answer.text
    await eventually(lambda: emulator.files == [])


@EVERY
async def test_no_file_is_refused(gateway: Gateway, task: str) -> None:
    answer = await gateway.post_form(f"/api/v1/{task}", ("prompt", "Anything"))

    assert problem(answer, 422, "invalid-field")["errors"][0]["field"] == "file"


@EVERY
async def test_an_unknown_field_is_refused_with_the_nearest_name(gateway: Gateway, task: str) -> None:
    answer = await gateway.post_form(f"/api/v1/{task}", ("languagee", "en"), *TASKS[task])

    assert "language" in problem(answer, 422, "invalid-field")["detail"]


@EVERY
async def test_the_named_model_is_asked(gateway: Gateway, emulator: Emulator, task: str) -> None:
    answer = await gateway.post_form(f"/api/v1/{task}", ("model", "gemini-2.0-flash"), *TASKS[task])

    assert answer.status_code == 200
    assert "gemini-3.5-flash-lite" in emulator.requests("generateContent")[-1]["path"]


async def test_two_files_are_refused(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/images/captions", PICTURE, PICTURE)

    assert "2" in problem(answer, 422, "invalid-field")["detail"]


@pytest.mark.parametrize("first", ["file", "file_id"])
async def test_a_surplus_file_is_refused_before_it_is_read(emulator: Emulator, tmp_path: Path, first: str) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=200_000) as gateway:
        kept = (await gateway.post_form("/api/v1/files", PICTURE)).json()["id"]
        one = ("file_id", kept) if first == "file_id" else PICTURE
        begun = len(emulator.sessions)

        large = ("file", ("large.jpg", (MEDIA / "shapes.jpg").read_bytes() + bytes(400_000)))

        answer = await gateway.post_form("/api/v1/images/captions", one, large)

        assert "not 2" in problem(answer, 422, "invalid-field")["detail"]
        assert len(emulator.sessions) == begun


async def test_an_empty_part_is_no_second_file(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/images/captions", PICTURE, ("file", ("", b"")))

    assert answer.status_code == 200


async def test_a_file_may_be_kept_and_asked_about_again(gateway: Gateway) -> None:
    first = await ask(gateway, "images/captions", PICTURE, ("keep_file", "true"))

    again = await ask(gateway, "images/captions", ("file_id", first["file"]["id"]))

    assert again["caption"] == first["caption"]


async def test_every_answer_of_the_emulator_says_so(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/images/captions", PICTURE)

    assert answer.headers["x-gateway-emulator"] == "1"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(
    [
        "box_2d",
        "label",
        "mask",
        "caption",
        "alt_text",
        "tags",
        "summary",
        "differences",
        "description",
        "image_index",
        "segments",
        "start",
        "end",
        "text",
        "speaker",
        "language",
        "pages",
        "page",
        "markdown",
        "scenes",
        "other",
    ]
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5))


@EVERY
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
async def test_any_model_answer_is_a_result_or_a_clear_problem(
    gateway: Gateway, emulator: Emulator, task: str, value: object
) -> None:
    emulator.reset()
    emulator.fault("generateContent", "answer", text=json.dumps(value))

    answer = await gateway.post_form(f"/api/v1/{task}", *TASKS[task])

    assert answer.status_code == 200 or answer.json()["code"] == "bad-model-answer"
