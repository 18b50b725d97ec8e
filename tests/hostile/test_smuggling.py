"""Requests whose framing has two readings: one answer, and the connection ends, so that nothing follows unseen."""

import pytest

from tests.closed_gateway import Closed
from tests.hostile.wire import exchange

HIDDEN = b"GET /api/v1/usage HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Hidden: 1\r\n\r\n"
START = b"POST /api/v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FRAMINGS = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 5, 0\r\n\r\n",
    "a signed length": b"Content-Length: +5\r\n\r\nabcde",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\n",
    "a length in other digits": b"Content-Length: \xd9\xa5\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked that is not last": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Content-Length : 5\r\n\r\nabcde",
    "a folded line": b"Content-Length:\r\n 5\r\n\r\nabcde",
    "a tab in a name": b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a bare carriage return": b"X: a\rContent-Length: 5\r\n\r\n",
    "a NUL in a value": b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a chunk of a negative size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk of a size without end": b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "a chunk larger than its size": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
}
LENGTHS = [
    *(
        b"+5",
        b"-1",
        b"0x5",
        b"5, 0",
        b"5 5",
        b"5.0",
        b"5e0",
        b"5;",
        b"_5",
        b"0b101",
        b"\xd9\xa5",
        b"five",
        b"5\x0b",
        b'"5"',
    ),
    b"18446744073709551621",
]
ENCODINGS = [
    *(b"xchunked", b"chunkedx", b"chunked;q=1", b'"chunked"', b"chunk ed", b"chunked, gzip", b"chunked, chunked"),
    *(b"identity, identity", b"\x0bchunked", b"chunked\x0b", b"chunked\0", b"gzip", b"deflate", b"CHUNKED, x"),
]
LENGTH, ENCODING, ENDS = b"Content-Length: ", b"Transfer-Encoding: ", b"\r\n\r\n0\r\n\r\n"
GENERATED = {
    **{f"length {value!r}": LENGTH + value + ENDS for value in LENGTHS},
    **{f"length {value!r} after another": LENGTH + b"5\r\n" + LENGTH + value + ENDS for value in LENGTHS},
    **{f"length {value!r} and chunked": LENGTH + value + b"\r\n" + ENCODING + b"chunked" + ENDS for value in LENGTHS},
    **{f"encoding {value!r}": ENCODING + value + ENDS for value in ENCODINGS},
    **{f"encoding {value!r} and a length": ENCODING + value + b"\r\n" + LENGTH + b"5" + ENDS for value in ENCODINGS},
}
ALL = FRAMINGS | GENERATED


def test_the_suite_tries_at_least_68_framings() -> None:
    assert len(ALL) >= 68


@pytest.mark.parametrize("name", list(ALL))
async def test_ambiguous_framing_is_answered_once_and_closes_the_connection(closed: Closed, name: str) -> None:
    answers = await exchange(closed.gateway.port, START + ALL[name] + HIDDEN, ends=False)

    assert answers.count == 1
    assert answers.status in {400, 401, 413, 415}
