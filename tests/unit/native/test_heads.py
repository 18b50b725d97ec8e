"""The headers and parameters passed on, in either direction."""

from typing import Any

import pytest

from app.errors import MalformedRequestError
from app.native.heads import (
    accepts_gzip,
    alt_of,
    client_headers,
    encoded,
    json_headers,
    query_of,
    upstream_headers,
)


def scope(*headers: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    return {"headers": list(headers), "query_string": query}


def test_of_the_clients_headers_those_on_the_list_go_up() -> None:
    sent = upstream_headers(
        scope(
            (b"content-type", b"application/json"),
            (b"x-goog-api-client", b"google-genai-sdk/3.4"),
            (b"x-server-timeout", b"60"),
            (b"x-goog-api-key", b"gg_secret"),
            (b"authorization", b"Bearer gg_secret"),
            (b"cookie", b"a=b"),
            (b"x-goog-user-project", b"other"),
            (b"x-http-method-override", b"DELETE"),
            (b"x-goog-fieldmask", b"*"),
            (b"x-emulator-fault", b"{}"),
            (b"accept-encoding", b"br, gzip, zstd"),
        )
    )

    assert sent == {
        "x-goog-api-client": "google-genai-sdk/3.4",
        "x-server-timeout": "60",
        "Accept-Encoding": "gzip",
    }


@pytest.mark.parametrize(
    ("value", "accepted"),
    [(b"gzip", True), (b"GZIP;q=0.5", True), (b"*", True), (b"gzip;q=0", False), (b"br", False), (b"", False)],
)
def test_gzip_is_asked_for_where_it_is_taken(value: bytes, accepted: bool) -> None:
    assert accepts_gzip(value) is accepted


SHOWN = {
    "Content-Type": "application/json; charset=UTF-8",
    "Content-Length": "7",
    "Content-Encoding": "gzip",
    "Content-Disposition": "attachment",
    "Cache-Control": "private",
    "Vary": "Origin",
    "Retry-After": "7",
    "Server-Timing": "gfet4t7; dur=9",
    "X-Gemini-Service-Tier": "priority",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-XSS-Protection": "0",
    "Api-Revision": "2026-05-20",
}
HIDDEN = {
    "X-Never-Heard-Of": "yes",
    "X-Goog-Api-Key": "the-key",
    "Location": "https://elsewhere.example",
    "WWW-Authenticate": "Bearer",
    "Connection": "close, X-Named",
    "X-Named": "no",
    "Keep-Alive": "5",
    "Transfer-Encoding": "chunked",
    "Set-Cookie": "NID=1",
    "Alt-Svc": "h3",
    "Access-Control-Allow-Origin": "*",
    "X-Gateway-Emulator": "1",
    "X-Goog-Upload-Url": "https://g/upload",
    "X-Request-Id": "theirs",
    "RateLimit": "theirs",
}


def test_geminis_headers_on_the_list_come_down_and_no_others() -> None:
    passed = client_headers([*SHOWN.items(), *HIDDEN.items()])

    assert passed == [(name.lower().encode(), value.encode()) for name, value in SHOWN.items()]


def test_credentials_leave_the_query() -> None:
    assert query_of(scope(query=b"alt=sse&key=gg_secret")) == {"alt": "sse"}


@pytest.mark.parametrize("query", [b"fields=x", b"alt=json&alt=sse", b"callback=f", b"%24fields=x", b"\xff=1"])
def test_other_parameters_are_refused(query: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        query_of(scope(query=query))


@pytest.mark.parametrize(
    ("query", "is_stream"),
    [({"alt": "proto"}, True), ({"alt": "media"}, False), ({"alt": "sse"}, False), ({"alt": ""}, True)],
)
def test_answers_are_framed_only_as_they_belong(query: dict[str, str], is_stream: bool) -> None:
    with pytest.raises(MalformedRequestError):
        alt_of(query, is_stream=is_stream)


def test_a_query_string_is_rewritten_from_its_parsed_pairs() -> None:
    assert (encoded({"pageToken": "a b&c=d"}), encoded({})) == ("?pageToken=a+b%26c%3Dd", "")


def test_a_json_body_goes_up_as_plain_json() -> None:
    headers = json_headers(scope((b"content-type", b"text/plain;charset=UTF-8"), (b"user-agent", b"x")), 5)

    assert headers == {
        "Accept-Encoding": "identity",
        "user-agent": "x",
        "Content-Type": "application/json",
        "Content-Length": "5",
    }
