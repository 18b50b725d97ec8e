"""The parser of queries: parameters survive their encoding, and no name has a second reading."""

from urllib.parse import unquote_to_bytes, urlencode

from app.errors import GatewayError
from app.request.query import MAX_PARAMETERS, RequestQuery

WORDS = (
    b"upload_id=", b"key=", b"alt=sse", b"&", b"=", b";", b"%", b"%00", b"%C3%A9", b"%c0%80", b"+", b"[]", b"#",
)  # fmt: skip


def run(data: bytes) -> None:
    """Parse a query string."""
    try:
        query = RequestQuery.parse(data)
    except GatewayError:
        return
    assert len(query.pairs) <= MAX_PARAMETERS
    assert sum(len(name) + len(value) for name, value in query.pairs) <= len(data)
    assert RequestQuery.parse(urlencode(query.pairs).encode()) == query
    # A reader that splits by hand sees the same names.
    pairs = [piece.partition(b"=") for piece in data.split(b"&") if piece]
    assert [name for name, _ in query.pairs] == [_decoded(name) for name, _, _ in pairs]
    assert [value for _, value in query.pairs] == [_decoded(value) for _, _, value in pairs]


def _decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode()
