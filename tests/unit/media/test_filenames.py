import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.filenames import MAX_FILENAME_CHARS, clean_filename


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Größe 大きさ 🎬.png", "Größe 大きさ 🎬.png"),
        ("a\0b.txt", "a b.txt"),
        ("x\x1b[31m.txt", "x [31m.txt"),
        ("a\r\nSet-Cookie: x=1", "a  Set-Cookie: x=1"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        ("a\u200bb\ufeffc", "a b c"),
        ("lone\ud800.txt", "lone .txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\photo.jpg", "photo.jpg"),
        ("folder/", None),
        ("..", None),
        (" . ", None),
        ("\0\r\n", None),
        ("", None),
        (None, None),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_filename_loses_folders_and_unprintable_characters(name: str | None, clean: str | None) -> None:
    assert clean_filename(name) == clean


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_a_clean_filename_is_printable_short_and_clean_already(name: str) -> None:
    clean = clean_filename(name)

    if clean is not None:
        assert clean.isprintable()
        assert not {"/", "\\"} & set(clean)
        assert not {unicodedata.category(char) for char in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert len(clean) <= MAX_FILENAME_CHARS
        assert clean_filename(clean) == clean
