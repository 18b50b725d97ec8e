from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, Unpack

import pytest
from PIL import Image

from emulator_tests.unit.drawing import save
from gemini_emulator.tokens import media_tokens, text_tokens

MEDIA = Path(__file__).parents[3] / "tests" / "media"
OLDER, NEWER = "models/gemini-2.5-flash", "gemini-3.8-flash"


class Options(TypedDict, total=False):
    resolution: str | None
    start: float | None
    end: float | None
    fps: float | None


def tokens_of_file(name: str, mime_type: str, model: str, **options: Unpack[Options]) -> Mapping[str, int]:
    return media_tokens((MEDIA / name).read_bytes(), mime_type, model=model, **options)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("x" * 400, 100)])
def test_a_text_costs_a_token_for_each_four_characters_begun(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((384, 384), 258), ((385, 100), 258), ((768, 768), 258), ((769, 768), 516), ((1537, 769), 6 * 258)],
)
def test_older_models_charge_pictures_by_tiles(size: tuple[int, int], tokens: int) -> None:
    data = save(Image.new("RGB", size), "PNG")

    assert media_tokens(data, "image/png", model=OLDER) == {"IMAGE": tokens}


@pytest.mark.parametrize(
    ("resolution", "tokens"),
    [
        (None, 1120),
        ("MEDIA_RESOLUTION_UNSPECIFIED", 1120),
        ("MEDIA_RESOLUTION_LOW", 280),
        ("medium", 560),
        ("MEDIA_RESOLUTION_HIGH", 1120),
        ("MEDIA_RESOLUTION_ULTRA_HIGH", 2240),
    ],
)
@pytest.mark.parametrize("model", [NEWER, "gemini-4-argon", "some-model-of-the-future"])
def test_newer_models_charge_pictures_by_resolution(model: str, resolution: str | None, tokens: int) -> None:
    assert tokens_of_file("shapes.png", "image/png", model, resolution=resolution) == {"IMAGE": tokens}


@pytest.mark.parametrize(
    ("start", "end", "tokens"),
    [(None, None, 237), (1.0, 3.0, 64), (None, 2.5, 80), (7.0, 100.0, 13), (9.0, None, 0)],
)
def test_sound_costs_32_tokens_a_second(start: float | None, end: float | None, tokens: int) -> None:
    assert tokens_of_file("speech.wav", "audio/wav", NEWER, start=start, end=end) == {"AUDIO": tokens}


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        (OLDER, {}, {"VIDEO": 6 * 258, "AUDIO": 192}),
        (OLDER, {"resolution": "MEDIA_RESOLUTION_LOW"}, {"VIDEO": 6 * 66, "AUDIO": 192}),
        (NEWER, {}, {"VIDEO": 6 * 70, "AUDIO": 192}),
        (NEWER, {"fps": 2.0}, {"VIDEO": 12 * 70, "AUDIO": 192}),
        (NEWER, {"start": 1.0, "end": 3.0}, {"VIDEO": 2 * 70, "AUDIO": 64}),
        (NEWER, {"fps": 0.1}, {"VIDEO": 70, "AUDIO": 192}),
    ],
)
def test_films_cost_by_frame_and_by_second_of_sound(model: str, options: Options, expected: Mapping[str, int]) -> None:
    assert tokens_of_file("scenes.mp4", "video/mp4", model, **options) == expected


@pytest.mark.parametrize(
    ("model", "resolution", "tokens"),
    [
        (OLDER, None, 774),
        (NEWER, None, 1680),
        (NEWER, "MEDIA_RESOLUTION_LOW", 840),
        (NEWER, "MEDIA_RESOLUTION_HIGH", 3360),
    ],
)
def test_documents_cost_by_page(model: str, resolution: str | None, tokens: int) -> None:
    assert tokens_of_file("report.pdf", "application/pdf", model, resolution=resolution) == {"DOCUMENT": tokens}


def test_text_files_cost_as_text() -> None:
    assert media_tokens(b"twelve chars", "text/csv", model=NEWER) == {"TEXT": 3}


@pytest.mark.parametrize(
    "mime_type", ["image/png", "audio/wav", "video/mp4", "application/pdf", "text/plain", "application/zip"]
)
def test_undecodable_media_cost_no_tokens(mime_type: str) -> None:
    assert tokens_of_file("program.jpg", mime_type, NEWER) == {}
