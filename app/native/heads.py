"""Selects, by allow lists, the headers and query parameters to pass on in each direction.

    client's query and headers ──(allow lists)──> Gemini        Gemini's headers ──(allow list)──> client

It knows no path and no body.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlencode

from starlette.types import Scope

from app.errors import MalformedRequestError
from app.request.context import parsed_query
from app.request.query import CREDENTIALS, given_twice

Headers = list[tuple[bytes, bytes]]

_PASSED_ON = {
    name.encode(): name for name in ("accept", "user-agent", "x-goog-api-client", "x-server-timeout", "api-revision")
}
SERVER_TIMEOUT = "x-server-timeout"
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
# Credentials belong to the gateway, and quotaUser, a user counted by Google's quota, has no meaning for its one key.
_DROPPED = CREDENTIALS | {"quotaUser", "$quotaUser"}
_FIELD_MASKS = frozenset({"fields", "$fields"})
_MODEL_CALL_TAKES = frozenset({"alt", "$alt", "prettyPrint", "$prettyPrint"})
_SHOWN = frozenset(
    {
        "content-type",
        "content-length",
        "content-encoding",
        "content-disposition",
        "cache-control",
        "vary",
        "retry-after",
        "server-timing",
        "x-gemini-service-tier",
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
        "api-revision",
    }
)
# Google's generated clients add this parameter to `alt` on every call.
_ENUMS_AS_NUMBERS = ";enum-encoding=int"
PAGING = frozenset({"pageSize", "page_size", "pageToken", "page_token"})


def query_of(
    scope: Scope, allowed: frozenset[str] = _MODEL_CALL_TAKES, *, may_number_enums: bool = False
) -> dict[str, str]:
    """Return the query parameters to send to Gemini, without credentials and quotaUser.

    `may_number_enums` passes `alt=json;enum-encoding=int` on; otherwise Gemini is asked for names, which the clients
    that send this parameter read as well.

    Raises MalformedRequestError, as Gemini does, for a parameter that is not `allowed`, and for a repeated parameter.
    """
    found: dict[str, str] = {}
    for name, value in parsed_query(scope).pairs:
        if name in _DROPPED:
            continue
        if name in _FIELD_MASKS:
            raise MalformedRequestError(
                f"The query parameter {name} is not supported: the gateway reads whole answers. Leave it out."
            )
        if name not in allowed:
            raise MalformedRequestError(
                f'Invalid JSON payload received. Unknown name "{name[:60]}": Cannot bind query parameter. Field '
                f"'{name[:60]}' could not be found in request message."
            )
        if name in found:
            raise given_twice(name)
        found[name] = value if may_number_enums else value.removesuffix(_ENUMS_AS_NUMBERS)
    if "alt" in found and "$alt" in found:
        raise given_twice("alt")
    return found


def alt_of(query: Mapping[str, str], *, is_stream: bool) -> str:
    """Return `alt`, the framing of the answer. Raises MalformedRequestError for a value that this call lacks."""
    alt = query.get("alt", query.get("$alt", "json"))
    if alt.removesuffix(_ENUMS_AS_NUMBERS) != "json" and not (is_stream and alt == "sse"):
        raise MalformedRequestError(f"Query parameter alt={alt[:20]!r} is not supported here.")
    return alt


def encoded(query: Mapping[str, str]) -> str:
    """Return a query with its question mark, or "" for an empty query."""
    return f"?{urlencode(query)}" if query else ""


def upstream_headers(scope: Scope, *, is_stream: bool = False) -> dict[str, str]:
    """Return the client's headers to send to Gemini. The only encoding asked for is gzip, which the gateway reads."""
    # A stream must come uncompressed, since an error in a compressed stream could not be masked.
    headers = {"Accept-Encoding": "identity"}
    for name, value in scope["headers"]:
        if name in _PASSED_ON:
            headers[_PASSED_ON[name]] = value.decode("latin-1")
        elif name == b"accept-encoding" and accepts_gzip(value) and not is_stream:
            headers["Accept-Encoding"] = "gzip"
    return headers


def client_time(headers: Mapping[str, str]) -> float | None:
    """Return the client's time limit in seconds, from the header that the SDKs send; None without that header.

    Raises MalformedRequestError for anything but a positive decimal number.
    """
    written = headers.get(SERVER_TIMEOUT)
    if written is None:
        return None
    if _SECONDS.fullmatch(written) is None or (seconds := float(written)) <= 0:
        raise MalformedRequestError(f"X-Server-Timeout is {written[:20]!r}; it must be a number of seconds above 0.")
    return seconds


def json_headers(scope: Scope, length: int, *, is_stream: bool = False) -> dict[str, str]:
    """Return the headers of a request with a JSON body of `length` bytes, sent uncompressed."""
    return {
        **upstream_headers(scope, is_stream=is_stream),
        "Content-Type": "application/json",
        "Content-Length": str(length),
    }


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    for item in accept_encoding.lower().split(b","):
        name, _, weight = item.partition(b";")
        if name.strip() in {b"gzip", b"*"} and weight.replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00"}:
            return True
    return False


def client_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return those of Gemini's headers that the client may see."""
    return [(lower.encode(), value.encode("latin-1")) for name, value in headers if (lower := name.lower()) in _SHOWN]
