"""The parsers of heads: hosts, lengths, ranges, upload commands, metadata, deadlines, encodings, query parameters."""

from collections.abc import Callable

from app.edge.body_timeouts import content_length
from app.edge.cors import origin_rule
from app.edge.guard import host_name
from app.errors import GatewayError
from app.native.heads import accepts_gzip, alt_of, client_time, encoded, query_of, upstream_headers
from app.native.uploads.address import token_of
from app.native.uploads.commands import offset_of, words_of
from app.native.uploads.metadata import MAX_DISPLAY_NAME_CHARS, read_metadata
from app.native.uploads.ranges import read_range
from app.request.context import RequestContext
from app.request.query import RequestQuery

LONGEST_NUMBER = 10**15
LONGEST_DETAIL = 1_000
PASSED_ON = frozenset(
    {"Accept-Encoding", "accept", "user-agent", "x-goog-api-client", "x-server-timeout", "api-revision"}
)
WORDS = (
    b"host: ", b"content-length: ", b"content-range: ", b"x-goog-upload-command: ", b"x-goog-upload-offset: ",
    b"x-goog-upload-header-content-type: ", b"x-goog-upload-header-content-length: ", b"x-server-timeout: ",
    b"accept-encoding: ", b"origin: ", b"bytes 0-9/10", b"bytes */", b"upload, finalize", b"gzip;q=0", b"[::1]:80",
    b"query: alt=sse", b"query: upload_id=", b'body: {"file":{"displayName":"', b"mimeType", b"sizeBytes", b"\n",
)  # fmt: skip


def run(data: bytes) -> None:
    """Read the headers of a request, one a line, by each parser that asks for one of them."""
    found = [line.partition(b": ") for line in data.split(b"\n")]
    headers = [(name.lower(), value) for name, _, value in found]
    first = dict(reversed(headers))
    for read in (_host, _length, _range, _command, _metadata, _query, _passed_on):
        _tried(read, headers, first)


Headers = list[tuple[bytes, bytes]]
Reader = Callable[[Headers, dict[bytes, bytes]], None]


def _tried(read: Reader, headers: Headers, first: dict[bytes, bytes]) -> None:
    try:
        read(headers, first)
    except GatewayError as error:
        refusal = error
    else:
        return
    assert 400 <= refusal.status < 500
    assert len(refusal.detail) < LONGEST_DETAIL


def _host(_headers: Headers, first: dict[bytes, bytes]) -> None:
    host = host_name(first.get(b"host", b""))
    assert host is None or (host.isascii() and not set(host) & set("/@?#\\ \r\n\0"))
    origin = first.get(b"origin", b"").decode("latin-1")
    allows = origin_rule(["https://app.example"], allow_loopback=False)
    assert allows(origin) is (origin == "https://app.example")


def _length(headers: Headers, _first: dict[bytes, bytes]) -> None:
    assert 0 <= (content_length({"type": "http", "headers": headers}) or 0) < LONGEST_NUMBER


def _range(headers: Headers, first: dict[bytes, bytes]) -> None:
    length = content_length({"type": "http", "headers": headers})
    found = read_range(first.get(b"content-range", b""), length)
    if found is not None:
        assert found.length > 0 <= found.first < LONGEST_NUMBER
        assert length in {None, found.length}


def _command(_headers: Headers, first: dict[bytes, bytes]) -> None:
    assert words_of(first)
    assert 0 <= offset_of(first) < LONGEST_NUMBER


def _metadata(_headers: Headers, first: dict[bytes, bytes]) -> None:
    metadata = read_metadata(first.get(b"body", b""), first)
    assert len(metadata.display_name or "") <= MAX_DISPLAY_NAME_CHARS
    assert metadata.mime_type.isprintable()
    assert 0 <= (metadata.size_bytes or 0) < LONGEST_NUMBER


def _query(headers: Headers, first: dict[bytes, bytes]) -> None:
    query_string = first.get(b"query", b"")
    token_of(RequestQuery.parse(query_string))
    scope = {"type": "http", "headers": headers, "query_string": query_string}
    RequestContext().place(scope)
    query = query_of(scope)
    assert not {"key", "access_token", "fields"} & set(query)
    assert alt_of(query, is_stream=True) in {"json", "sse"}
    assert dict(RequestQuery.parse(encoded(query)[1:].encode()).pairs) == query


def _passed_on(headers: Headers, first: dict[bytes, bytes]) -> None:
    passed = upstream_headers({"type": "http", "headers": headers})
    assert set(passed) <= PASSED_ON
    assert accepts_gzip(first.get(b"accept-encoding", b"")) in {True, False}
    assert (client_time(passed) or 1) > 0
