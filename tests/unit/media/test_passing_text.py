"""Text that is transcoded while it is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.passing_text import PassingText, whole_text
from app.media.types import UnsupportedTypeError

CHARSETS = ["utf-16", "utf-16-be", "utf-32", "gb18030", "utf-8", "utf-8-sig"]


@given(
    st.text(st.characters(exclude_characters="\0\ufeff", codec="utf-8")), st.sampled_from(CHARSETS), st.integers(1, 9)
)
def test_text_cut_anywhere_is_transcoded_as_a_whole(text: str, charset: str, size: int) -> None:
    data = text.encode(charset)
    passing = PassingText(charset)

    held = b"".join([passing.hold(data[at : at + size]) for at in range(0, len(data), size)])
    passing.finish()

    assert held == (data if charset.startswith("utf-8") else text.encode())
    assert passing.has_changed is (held != data)
    assert whole_text(data, charset) == held


def test_a_text_that_is_the_same_in_utf_8_may_be_streamed() -> None:
    passing = PassingText("cp1252")
    assert passing.hold(b"plain ") == b"plain "

    passing.end_holding()
    passing.look(b"text")
    passing.finish()

    assert not passing.has_changed
    with pytest.raises(UnsupportedTypeError, match=r"not ASCII at byte 10\..*too large to be held must be UTF-8"):
        passing.look(b"\xfc")


def test_a_text_that_has_been_changed_must_be_held() -> None:
    passing = PassingText("cp1252")
    passing.hold("für".encode("cp1252"))

    with pytest.raises(UnsupportedTypeError, match=r"CP1252.*must be UTF-8"):
        passing.end_holding()


def test_a_whole_text_in_the_wrong_charset_is_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match="not UTF-16 at byte 0"):
        whole_text(b"x", "utf-16")
