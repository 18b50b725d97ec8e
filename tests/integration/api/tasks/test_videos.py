"""Scenes, against a film whose scenes are known."""

from typing import Any

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media
from tests.integration.api.tasks.asking import COMMON, ask, problem

FILM = ("file", media("scenes.mp4"))


def scenes(answer: Any) -> list[tuple[float, float]]:
    return [(scene["start"], scene["end"]) for scene in answer["scenes"]]


async def test_every_scene_has_start_end_and_description(gateway: Gateway) -> None:
    answer = await ask(gateway, "videos/descriptions", FILM)

    assert set(answer) == COMMON | {"duration", "scenes"}
    assert answer["duration"] == pytest.approx(6, abs=0.1)
    assert scenes(answer) == [pytest.approx((0, 3), abs=0.1), pytest.approx((3, 6), abs=0.1)]
    assert "red" in answer["scenes"][0]["description"]
    assert "blue" in answer["scenes"][1]["description"]


async def test_a_passage_and_the_frame_rate_go_to_gemini_itself(gateway: Gateway, emulator: Emulator) -> None:
    answer = await ask(gateway, "videos/descriptions", FILM, ("start", "4"), ("end", "0:05"), ("fps", "2"))

    [part, _] = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"]
    assert part["videoMetadata"] == {"startOffset": "4s", "endOffset": "5s", "fps": 2}
    assert scenes(answer) == [pytest.approx((4, 5), abs=0.1)]
    assert "blue" in answer["scenes"][0]["description"]


async def test_a_passage_after_the_end_is_refused(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/videos/descriptions", FILM, ("start", "60"))

    assert problem(answer, 422, "invalid-field")["errors"][0]["field"] == "start"


async def test_a_long_answer_is_continued_and_joined(gateway: Gateway, emulator: Emulator) -> None:
    whole = await ask(gateway, "videos/descriptions", FILM)
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=110)

    answer = await ask(gateway, "videos/descriptions", FILM)

    assert answer["scenes"] == whole["scenes"]
    assert answer["complete"] is True
