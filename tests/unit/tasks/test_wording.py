"""Wording: words of clients and models on one line, of bounded length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.wording import one_line, paragraphs, wish


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("red  car\n", "red car"),
        ("a\x00b\u2028c", "a b c"),
        ("é ü 猫", "é ü 猫"),
        ("abcdefgh ijklmn", "abcdefgh"),
        (" \t\x1f ", None),
        ("", None),
        (None, None),
        (12, None),
        (["car"], None),
    ],
)
def test_a_string_becomes_one_line_and_other_types_none(value: object, line: str | None) -> None:
    assert one_line(value, 9) == line


@given(st.text(), st.integers(1, 20))
def test_a_line_is_never_too_long_nor_empty(text: str, max_chars: int) -> None:
    line = one_line(text, max_chars)

    assert line is None or 0 < len(line) <= max_chars


def test_an_instruction_leaves_out_missing_lines() -> None:
    assert paragraphs(["Look.", None, wish(None), wish("dogs only")]) == "Look.\nAdditional instructions: dogs only"
