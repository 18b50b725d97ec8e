import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator_tests.unit.test_pictures import png_of_size
from gemini_emulator.senses import duration_of, perceive
from gemini_emulator.senses.documents import count_pages, read_pdf

MEDIA = Path(__file__).parents[3] / "tests" / "media"
TRUTH = json.loads((MEDIA / "truth.json").read_text())
SHAPES = "red rectangle [50,60,210,180], green ellipse [300,80,520,240], blue triangle [120,280,320,440]"

damages = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=20)


def perceive_file(name: str, mime_type: str) -> str:
    data = (MEDIA / name).read_bytes()
    return perceive(data, mime_type, len(data))


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("shapes.png", "image/png"),
        ("shapes.jpg", "image/jpeg"),
        ("shapes.heic", "image/heic"),
        ("shapes-exif6.jpg", "image/jpeg"),
    ],
)
def test_the_line_of_a_picture_tells_its_size_and_shapes(name: str, mime_type: str) -> None:
    assert perceive_file(name, mime_type) == f"640x480, {SHAPES}"


def test_a_missing_shape_is_missed() -> None:
    line = perceive_file("shapes-one-missing.png", "image/png")

    assert line == "640x480, green ellipse [300,80,520,240], blue triangle [120,280,320,440]"


@pytest.mark.parametrize("suffix", ["wav", "mp3", "aiff", "ogg", "flac"])
def test_the_line_of_a_recording_tells_its_passages(suffix: str) -> None:
    line = perceive_file(f"speech.{suffix}", f"audio/{suffix}")

    assert line == ("7.41 s, silent 0.00-0.51, loud 0.51-2.98, silent 2.98-4.33, loud 4.33-6.61, silent 6.61-7.41")


def test_aac_adds_the_delay_of_its_encoder() -> None:
    assert perceive_file("speech.aac", "audio/aac") == (
        "7.49 s, silent 0.00-0.58, loud 0.58-3.05, silent 3.05-4.39, loud 4.39-6.67, silent 6.67-7.49"
    )


def test_the_line_of_a_film_tells_scenes_and_sound() -> None:
    line = perceive_file("scenes.mp4", "video/mp4")

    assert line == "6.00 s 320x240, red 0.00-3.00, blue 3.00-6.00, sound 6.01 s, loud 0.00-6.01"


def test_the_line_of_a_document_tells_the_text_of_each_page() -> None:
    expected = "; ".join(f'{number} "{" ".join(page)}"' for number, page in enumerate(TRUTH["report.pdf"]["pages"], 1))

    assert perceive_file("report.pdf", "application/pdf") == f"3 pages: {expected}"


def test_the_pages_of_a_document_keep_their_lines() -> None:
    data = (MEDIA / "report.pdf").read_bytes()

    assert read_pdf(data) == tuple("\n".join(page) for page in TRUTH["report.pdf"]["pages"])
    assert count_pages(data) == 3


def test_many_threads_may_read_documents_at_once() -> None:
    data = (MEDIA / "report.pdf").read_bytes()
    read: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: read.append(read_pdf(data))) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read == [read_pdf(data)] * 16


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("Grüße, 世界".encode(), "9 characters"),
        ("\ufeffmarked".encode(), "6 characters"),
        ("wide".encode("utf-16"), "4 characters"),
        ("caf\xe9".encode("latin-1"), "4 characters"),
        (b"", "0 characters"),
        (b"zero \x00 byte", "unreadable"),
    ],
)
def test_the_line_of_a_text_tells_its_length(data: bytes, line: str) -> None:
    assert perceive(data, "text/plain; charset=utf-8", len(data)) == line


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("empty.jpg", "image/jpeg"),
        ("truncated.png", "image/png"),
        ("not-a-picture.png", "image/png"),
        ("program.jpg", "image/jpeg"),
        ("program.jpg", "audio/mp3"),
        ("program.jpg", "video/mp4"),
        ("program.jpg", "application/pdf"),
        ("program.jpg", "text/plain"),
        ("shapes.png", "application/pdf"),
        ("shapes.png", "audio/wav"),
        ("report.pdf", "image/png"),
    ],
)
def test_undecodable_bytes_are_unreadable(name: str, mime_type: str) -> None:
    assert perceive_file(name, mime_type) == "unreadable"


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("shapes.png", "image/png"),
        ("shapes.jpg", "image/jpeg"),
        ("shapes.webp", "image/webp"),
        ("shapes.heic", "image/heic"),
        ("speech.mp3", "audio/mp3"),
        ("speech.ogg", "audio/ogg"),
        ("report.pdf", "application/pdf"),
    ],
)
@given(damage=damages, cut=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_damaged_files_get_a_line_too(name: str, mime_type: str, damage: list[tuple[int, int]], cut: float) -> None:
    data = bytearray((MEDIA / name).read_bytes())
    for position, value in damage:
        data[position % len(data)] = value

    line = perceive(bytes(data[: int(cut * len(data))]), mime_type, len(data))

    assert line
    assert "\n" not in line


def test_a_huge_picture_is_called_too_large() -> None:
    data = png_of_size(9_000, 12_000)

    assert perceive(data, "image/png", len(data)).endswith("too large to look at: more than 100 megapixels")


def test_a_beginning_is_said_to_be_one() -> None:
    assert perceive(b"only this", "text/plain", 1_000) == "9 characters, of the first 9 bytes"


def test_a_character_that_is_cut_is_not_counted() -> None:
    assert perceive("世界".encode()[:5], "text/plain", 6) == "1 character, of the first 5 bytes"


def test_an_unknown_type_is_judged_by_its_bytes() -> None:
    assert perceive_file("shapes.png", "application/octet-stream") == f"640x480, {SHAPES}"
    assert perceive_file("README.md", "application/octet-stream").endswith(" characters")


@pytest.mark.parametrize(
    ("name", "mime_type", "duration"),
    [
        ("speech.wav", "audio/wav", 7.405125),
        ("scenes.mp4", "video/mp4", 6.0),
        ("shapes.png", "image/png", None),
        ("program.jpg", "audio/wav", None),
        ("program.jpg", "video/mp4", None),
    ],
)
def test_the_duration_is_that_of_the_medium(name: str, mime_type: str, duration: float | None) -> None:
    assert duration_of((MEDIA / name).read_bytes(), mime_type) == duration
