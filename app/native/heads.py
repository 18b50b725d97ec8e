"""What of a request's and an answer's head is passed on: allow lists one way, hop-by-hop rules the other.

    client's query and headers ──(allow lists)──> Gemini        Gemini's headers ──(RFC 9110, 7.6.1)──> client

It knows no path and no body.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from app.errors import MalformedRequestError, UnsupportedMediaTypeError

Headers = list[tuple[bytes, bytes]]

_PASSED_ON = {
    name.encode(): name
    for name in ("content-type", "accept", "user-agent", "x-goog-api-client", "x-server-timeout", "api-revision")
}
_CREDENTIALS = frozenset({"key", "access_token", "token"})
_MODEL_CALL_TAKES = frozenset({"alt", "$alt", "prettyPrint", "$prettyPrint"})
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset({"date", "set-cookie", "alt-svc", "strict-transport-security", "x-gateway-emulator", "x-request-id"})
"""What describes Google's host or connection, or is said by the gateway itself."""
_OURS_BEGIN = ("access-control-", "ratelimit", "x-guploader-", "x-goog-upload-")
PAGING = frozenset({"pageSize", "page_size", "pageToken", "page_token"})


def check_content(scope: Scope) -> None:
    """Refuse a body that is not plain JSON: what could not be scanned. Raises UnsupportedMediaTypeError."""
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise UnsupportedMediaTypeError("Content-Encoding is not taken on requests; send the JSON as it is.")
        if name == b"content-type" and value.partition(b";")[0].strip().lower() != b"application/json":
            raise UnsupportedMediaTypeError("The body must be application/json.")


def query_of(scope: Scope, allowed: frozenset[str] = _MODEL_CALL_TAKES) -> dict[str, str]:
    """Read the query parameters that are passed on; credentials are left out.

    Raises MalformedRequestError, as Gemini does, for one that is not `allowed`, and for one that stands there twice.
    """
    text: bytes = scope["query_string"]
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        raise MalformedRequestError("The query is not a list of name=value, separated by &.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in _CREDENTIALS:
            continue
        if name not in allowed:
            raise MalformedRequestError(
                f'Invalid JSON payload received. Unknown name "{name[:60]}": Cannot bind query parameter. Field '
                f"'{name[:60]}' could not be found in request message."
            )
        if name in found:
            raise MalformedRequestError(f"The query parameter {name} stands there twice.")
        found[name] = value
    return found


def alt_of(query: Mapping[str, str], *, is_stream: bool) -> str:
    """Check `alt` and give it: how the answer is framed. Raises MalformedRequestError for what does not belong here."""
    alt = query.get("alt", query.get("$alt", "json"))
    if alt != "json" and not (is_stream and alt == "sse"):
        raise MalformedRequestError(f"The query parameter alt={alt[:20]!r} is not taken here.")
    return alt


def encoded(query: Mapping[str, str]) -> str:
    """Write a query, with its question mark; nothing when it is empty."""
    return f"?{urlencode(query)}" if query else ""


def upstream_headers(scope: Scope) -> dict[str, str]:
    """Choose what Gemini is told of the client's head. Of encodings only gzip is asked for: it is read on the way."""
    headers = {"Accept-Encoding": "identity"}
    for name, value in scope["headers"]:
        if name in _PASSED_ON:
            headers[_PASSED_ON[name]] = value.decode("latin-1")
        elif name == b"accept-encoding" and accepts_gzip(value):
            headers["Accept-Encoding"] = "gzip"
    return headers


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether an Accept-Encoding takes gzip."""
    for item in accept_encoding.lower().split(b","):
        name, _, weight = item.partition(b";")
        if name.strip() in {b"gzip", b"*"} and weight.replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00"}:
            return True
    return False


def client_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Choose what the client is told of Gemini's head: all but what holds for one connection, or for Google's host."""
    passed: Headers = []
    named: set[bytes] = set()
    for name, value in headers:
        lower = _passed(name)
        if lower is not None:
            passed.append((lower, value.encode("latin-1")))
        elif name.lower() == "connection":
            named.update(token.strip().lower().encode("latin-1") for token in value.split(","))
    return [(name, value) for name, value in passed if name not in named] if named else passed


@lru_cache(maxsize=256)
def _passed(name: str) -> bytes | None:
    """Give a name as it is passed on; None for one that is not, whatever it says."""
    lower = name.lower()
    if lower in _HOP_BY_HOP or lower in _OURS or lower.startswith(_OURS_BEGIN):
        return None
    return lower.encode("latin-1")
