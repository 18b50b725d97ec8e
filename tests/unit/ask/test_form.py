"""The body that is sent, and its length."""

from pathlib import Path

import pytest

from app.ask.form import BLOCK_BYTES, Form, look_at


@pytest.mark.parametrize("size_bytes", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_a_body_is_as_long_as_it_says(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * size_bytes)
    form = Form([("prompt", "Grüße")], [look_at(path), look_at(path)])
    sent: list[int] = []

    pieces = list(form.pieces(sent.append))

    assert sum(map(len, pieces)) == form.length
    assert sum(sent) == form.files_bytes == 2 * size_bytes
    assert max(map(len, pieces)) <= BLOCK_BYTES


def test_no_two_forms_have_the_same_boundary() -> None:
    assert Form([], []).content_type != Form([], []).content_type


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("photo.JPG", "image/jpeg"),
        ("talk.mp3", "audio/mpeg"),
        ("film.mp4", "video/mp4"),
        ("paper.pdf", "application/pdf"),
        ("script.sh", "application/octet-stream"),
        ("table.csv", "application/octet-stream"),
        ("film.mp4.gz", "application/octet-stream"),
        ("data:image/png,x", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_only_media_are_declared_by_their_name(tmp_path: Path, name: str, content_type: str) -> None:
    path = tmp_path / name.replace("/", "_")
    path.write_bytes(b"x")

    assert look_at(path).content_type == content_type
