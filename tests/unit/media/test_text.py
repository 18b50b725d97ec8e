import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.text import TextCheck, charset_of, charset_of_mark, looks_like_text
from app.media.types import UnsupportedTypeError


def pass_through(check: TextCheck, pieces: list[bytes]) -> None:
    for piece in pieces:
        check.feed(piece)
    check.finish()


@pytest.mark.parametrize(
    ("declared", "charset"),
    [
        (None, "utf-8"),
        ("text/plain", "utf-8"),
        ('text/plain; charset="UTF8"', "utf-8"),
        ("text/plain; charset=us-ascii", "utf-8"),
        ("text/plain; charset=ISO-8859-1", "iso8859-1"),
        ("text/csv;charset=windows-1252", "cp1252"),
        ("text/plain; charset=Shift_JIS", "shift_jis"),
    ],
)
def test_a_charset_is_known_by_its_usual_names(declared: str | None, charset: str) -> None:
    assert charset_of(declared) == charset


@pytest.mark.parametrize(
    "label", ["rot13", "zlib", "base64", "idna", "unicode_escape", "klingon", "utf-8\x00", "\udcff"]
)
def test_an_unknown_charset_is_refused(label: str) -> None:
    with pytest.raises(UnsupportedTypeError, match="charset"):
        charset_of(f"text/plain; charset={label}")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")), st.integers(1, 7))
def test_text_cut_anywhere_passes_the_check(text: str, size: int) -> None:
    encoded = text.encode()

    pass_through(TextCheck(), [encoded[at : at + size] for at in range(0, len(encoded), size)])


def test_a_byte_order_mark_is_text() -> None:
    pass_through(TextCheck(), [b"\xef\xbb", b"\xbfhello"])


def test_invalid_bytes_far_into_a_large_piece_are_found() -> None:
    with pytest.raises(UnsupportedTypeError, match="not UTF-8 at byte 300000"):
        TextCheck().feed(b"a" * 300_000 + b"\xff" + b"a" * 300_000)


def test_a_nul_is_found() -> None:
    check = TextCheck()
    check.feed(b"fine so far")

    with pytest.raises(UnsupportedTypeError, match="NUL"):
        check.feed(b"and then\0")


def test_a_text_that_ends_within_a_character_is_refused_at_its_end() -> None:
    check = TextCheck()
    check.feed("né".encode()[:-1])

    with pytest.raises(UnsupportedTypeError):
        check.finish()


def test_text_in_a_declared_charset_passes() -> None:
    pass_through(TextCheck("iso8859-1"), ["né".encode("latin-1")])
    pass_through(TextCheck("utf-16"), ["né".encode("utf-16")])


def test_a_character_cut_by_the_end_of_the_head_is_text_unless_the_file_ends_there() -> None:
    head = "né".encode()[:-1]

    assert looks_like_text(head, "utf-8", is_whole=False, allows_controls=False)
    assert not looks_like_text(head, "utf-8", is_whole=True, allows_controls=False)


def test_control_characters_count_against_undeclared_text() -> None:
    assert not looks_like_text(b"\x01\x02\x03", "utf-8", is_whole=True, allows_controls=False)
    assert looks_like_text(b"\x01\x02\x03", "utf-8", is_whole=True, allows_controls=True)
    assert looks_like_text(b"a\tb\r\n\x0c\x1b[0m", "utf-8", is_whole=True, allows_controls=False)


def test_python_is_never_asked_for_a_charset_that_a_client_names() -> None:
    # `codecs.lookup` remembers every name, so that clients could fill the memory with names of their own.
    asked: list[str] = []
    codecs.register(asked.append)
    try:
        for label in ("no-such-charset", "x" * 200, "utf-8-2"):
            with pytest.raises(UnsupportedTypeError):
                charset_of(f"text/plain; charset={label}")
    finally:
        codecs.unregister(asked.append)

    assert asked == []


@pytest.mark.parametrize("size", [1, 3, 65_537])
@pytest.mark.parametrize(
    ("charset", "data", "position"),
    [
        ("utf-8", b"a" * 4_733 + b"\xfc", 4_733),
        ("utf-8", b"a" * 70_000 + "é".encode()[:1] + b"x", 70_000),
        ("utf-8", "é".encode() * 9 + b"\0", 18),
        ("cp1252", b"a" * 70_000 + b"\x81", 70_000),
        ("utf-16", "\ufeffab".encode("utf-16-le") + b"\x00\xdcxx", 6),
        ("utf-16", "\ufeffab\0".encode("utf-16-le"), 6),
        ("utf-32", "\ufeffa".encode("utf-32-le") + b"\xff\xff\xff\xff", 8),
    ],
)
def test_a_refusal_names_the_position_of_the_first_wrong_byte(
    charset: str, data: bytes, position: int, size: int
) -> None:
    with pytest.raises(UnsupportedTypeError, match=f"at byte {position}[.]"):
        pass_through(TextCheck(charset), [data[at : at + size] for at in range(0, len(data), size)])


@pytest.mark.parametrize(
    ("mark", "charset"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (b"", None),
    ],
)
def test_a_byte_order_mark_names_the_charset(mark: bytes, charset: str | None) -> None:
    assert charset_of_mark(mark + b"text") == charset
