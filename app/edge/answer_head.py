"""The head of an answer, as bytes: its headers checked all at once, and what they say of the body's framing.

uvicorn matches every name and value by an expression, byte by byte, which long values such as RateLimit's make dear. It
knows no connection.
"""

import string
from collections.abc import Iterable
from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Header = tuple[bytes, bytes]
_TOKEN = f"{string.ascii_letters}{string.digits}!#$%&'*+-.^_`|~".encode()
"""What a name may consist of (RFC 9110, section 5.6.2)."""
_VALUE = bytes(code for code in range(256) if code == 9 or (code >= 32 and code != 127))
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


class Framing(NamedTuple):
    """What a head says of what follows: the body's length (None: not said), whether it is chunked, and the end."""

    content_length: int | None
    is_chunked: bool
    closes: bool


def head_of(status: int, headers: Iterable[Header]) -> tuple[list[bytes], Framing]:
    """Give the lines of a head, without the empty one that ends it, and its framing.

    Raises ValueError for a name or a value that HTTP does not allow.
    """
    lines = [STATUS_LINE[status]]
    names, values = [], []
    length: int | None = None
    is_chunked = closes = False
    for written, value in headers:
        name = written.lower()
        names.append(name)
        values.append(value)
        lines += (name, b": ", value, b"\r\n")
        if name in _FRAMING:
            if name == b"content-length":
                length = int(value) if length is None else length
            elif name == b"transfer-encoding":
                is_chunked |= value.lower() == b"chunked"
            else:
                closes |= b"close" in [token.strip().lower() for token in value.split(b",")]
    # Nothing but what is allowed is to be left out.
    if b"".join(names).translate(None, _TOKEN):
        raise ValueError("a header's name is none")
    if b"".join(values).translate(None, _VALUE):
        raise ValueError("a header's value has a control character")
    return lines, Framing(None if is_chunked else length, is_chunked, closes)
