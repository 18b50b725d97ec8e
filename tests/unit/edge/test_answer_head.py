"""The head of an answer: what is written, what it says of the body, and what is refused."""

import pytest

from app.edge.answer_head import Framing, Header, head_of


def test_a_head_is_its_status_and_its_headers_with_names_in_lower_case() -> None:
    lines, framing = head_of(200, [(b"Content-Type", b"text/plain; charset=utf-8"), (b"content-length", b"12")])

    assert b"".join(lines) == (b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 12\r\n")
    assert framing == Framing(12, is_chunked=False, closes=False)


@pytest.mark.parametrize(
    ("header", "framing"),
    [
        ((b"x-none", b""), Framing(None, is_chunked=False, closes=False)),
        ((b"Transfer-Encoding", b"Chunked"), Framing(None, is_chunked=True, closes=False)),
        ((b"connection", b"x-other, Close"), Framing(None, is_chunked=False, closes=True)),
        ((b"connection", b"keep-alive"), Framing(None, is_chunked=False, closes=False)),
    ],
)
def test_a_head_says_how_the_body_is_framed(header: Header, framing: Framing) -> None:
    assert head_of(204, [header])[1] == framing


def test_of_headers_that_contradict_each_other_the_careful_one_holds() -> None:
    headers = [
        (b"connection", b"close"),
        (b"connection", b"keep-alive"),
        (b"content-length", b"1"),
        (b"content-length", b"2"),
    ]
    assert head_of(200, headers)[1] == Framing(1, is_chunked=False, closes=True)
    headers = [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"x")]
    assert head_of(200, headers)[1].is_chunked


@pytest.mark.parametrize("code", [*range(9), *range(10, 32), 127])
def test_no_value_has_a_control_character_but_a_tab(code: int) -> None:
    with pytest.raises(ValueError, match="value"):
        head_of(200, [(b"x-first", b"fine"), (b"x-name", b"a%cb" % code)])


def test_any_other_byte_may_stand_in_a_value() -> None:
    value = bytes(code for code in range(256) if code == 9 or (code >= 32 and code != 127))

    assert value in head_of(200, [(b"x-name", value)])[0]


@pytest.mark.parametrize("code", [code for code in range(256) if not (chr(code).isalnum() and code < 128)])
def test_a_name_is_a_token(code: int) -> None:
    name = b"x%cy" % code
    if name[1:2] in b"!#$%&'*+-.^_`|~":
        assert name in head_of(200, [(name, b"")])[0]
        return
    with pytest.raises(ValueError, match="name"):
        head_of(200, [(b"x-first", b""), (name, b"")])
