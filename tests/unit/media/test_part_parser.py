"""The push parser beside python-multipart's, which reads the same forms byte by byte."""

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from app.errors import GatewayError
from app.media.part_heads import MAX_HEADER_BYTES, MAX_HEADERS, PartHead
from app.media.part_parser import PART_END, PartParser
from tests.unit.media.forms import BOUNDARY, cut

PLAIN_HEAD = b"Content-Disposition: form-data; name=a"
WORDS = [
    b"\r\n--frontier\r\n",
    b"\r\n--frontier--",
    b"\r\n--frontier",
    b"--frontier",
    PLAIN_HEAD + b"\r\n\r\n",
    PLAIN_HEAD,
    b"X: 1",
    b"\r\n",
    *(bytes([byte]) for byte in b"\r\n-: \tx\0\xff"),
]
BODIES = st.lists(st.sampled_from(WORDS), max_size=14).map(lambda words: b"--frontier\r\n" + b"".join(words))


# The general parser reads such a boundary as data.
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n--frontier(\r\n|--)")


def theirs(body: bytes) -> list[bytes] | None:
    """Return each part's data as read by the general parser; None for an incomplete form."""
    parts: list[bytes] = []
    ends: list[bool] = []
    parser = MultipartParser(
        BOUNDARY,
        {
            "on_part_begin": lambda: parts.append(b""),
            "on_part_data": lambda data, start, end: parts.append(parts.pop() + data[start:end]),
            "on_end": lambda: ends.append(True),
        },
        max_header_count=MAX_HEADERS,
        max_header_size=MAX_HEADER_BYTES,
    )
    try:
        parser.write(body)
    except FormParserError:
        return None
    return parts if ends else None


def ours(pieces: Sequence[bytes]) -> list[bytes] | None:
    """Return each part's data; None if the form is refused or incomplete."""
    parser = PartParser(BOUNDARY, max_parts=100)
    try:
        for piece in pieces:
            parser.feed(piece)
    except GatewayError:
        return None
    parts: list[bytes] = []
    for event in parser.events:
        if isinstance(event, PartHead):
            parts.append(b"")
        elif isinstance(event, memoryview):
            parts.append(parts.pop() + event)
        else:
            assert event is PART_END
    return parts if parser.is_ended else None


@given(BODIES, st.lists(st.integers(0, 400), max_size=6))
def test_a_form_cut_anywhere_is_refused_or_read_like_the_general_parser(body: bytes, places: list[int]) -> None:
    found = ours(cut(body, places))

    assert found == ours([body])
    assert found is None or found == theirs(body)


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(b"".join), st.lists(st.integers(0, 400), max_size=6))
def test_data_of_the_general_parser_is_accepted(data: bytes, places: list[int]) -> None:
    body = b"--frontier\r\n" + PLAIN_HEAD + b"\r\n\r\n" + data + b"\r\n--frontier--\r\n"
    expected = theirs(body)

    if expected is not None and len(expected) == 1 and not BARE_LINE_FEED.search(body):
        assert ours(cut(body, places)) == expected


def test_the_held_bytes_of_part_headers_are_bounded() -> None:
    parser = PartParser(BOUNDARY, max_parts=9)
    fed = 0
    try:
        for line in [b"--frontier\r\n", *[b"X: " + b"x" * 1_000 + b"\r\n"] * 1_000]:
            parser.feed(line)
            fed += len(line)
    except GatewayError:
        pass

    assert fed < (MAX_HEADERS + 2) * 1_100
