from pathlib import Path

import pytest

from emulator_tests.unit.drawing import FORMATS, MIME_TYPES, draw, save
from emulator_tests.unit.recording import FILM_FORMATS, SOUND_FORMATS, film, record, tones
from gemini_emulator.senses import can_be
from gemini_emulator.senses.kinds import Kind, kind_of, kinds_of

MEDIA = Path(__file__).parents[3] / "tests" / "media"


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("image/HEIC", Kind.IMAGE),
        ("audio/mp3; codecs=mp3", Kind.AUDIO),
        ("video/3gpp", Kind.VIDEO),
        ("application/pdf", Kind.DOCUMENT),
        ("text/x-anything", Kind.TEXT),
        ("application/json", Kind.TEXT),
        ("application/zip", None),
        ("", None),
    ],
)
def test_a_mime_type_names_a_kind(mime_type: str, kind: Kind | None) -> None:
    assert kind_of(mime_type) is kind


@pytest.mark.parametrize("image_format", FORMATS)
def test_pictures_can_be_pictures_and_nothing_else(image_format: str) -> None:
    data = save(draw(seed=1, cell=40).image, image_format)

    assert kinds_of(data) == {Kind.IMAGE}
    assert can_be(data, MIME_TYPES[image_format])
    assert not can_be(data, "audio/wav")
    assert not can_be(data, "text/plain")


@pytest.mark.parametrize("file_format", sorted(SOUND_FORMATS))
def test_recordings_can_be_sound_but_no_picture(file_format: str) -> None:
    data = record(tones([(0.3, True)], rate=48_000), file_format, rate=48_000)

    assert can_be(data, "audio/whatever")
    assert not can_be(data, "image/png")


@pytest.mark.parametrize("file_format", sorted(FILM_FORMATS))
def test_films_can_be_films_but_no_document(file_format: str) -> None:
    data = film([(0.2, (255, 0, 0))], file_format)

    assert can_be(data, "video/whatever")
    assert not can_be(data, "application/pdf")


@pytest.mark.parametrize(
    ("name", "mime_type", "expected"),
    [
        ("speech.mp3", "audio/mpeg", True),
        ("speech.aac", "audio/aac", True),
        ("speech.ogg", "audio/ogg", True),
        ("report.pdf", "application/pdf", True),
        ("report.pdf", "text/plain", False),
        ("README.md", "text/markdown", True),
        ("README.md", "application/pdf", False),
        ("not-a-picture.png", "image/png", False),
        ("program.jpg", "image/jpeg", False),
        ("program.jpg", "text/plain", False),
        ("empty.jpg", "image/jpeg", False),
        ("program.jpg", "application/zip", True),
        ("program.jpg", "audio/l16;rate=8000", True),
    ],
)
def test_files_are_judged_by_their_first_bytes(name: str, mime_type: str, expected: bool) -> None:
    assert can_be((MEDIA / name).read_bytes(), mime_type) is expected


def test_utf_16_is_text_and_no_sound() -> None:
    data = "wide characters".encode("utf-16")

    assert can_be(data, "text/plain")
    assert not can_be(data, "audio/mp3")
