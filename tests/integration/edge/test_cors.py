"""CORS stands on every answer, refusals and errors included."""

import pytest
from starlette.types import Receive, Scope, Send

from app.edge.cors import origin_rule
from app.edge.limits import EdgeLimits
from app.errors import NotFoundError
from tests.integration.edge.wire import HOST, answer_ok, guarded, serving

ORIGIN = "http://localhost:5173"
PAGE = f"Origin: {ORIGIN}\r\n".encode()
PREFLIGHT = b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, x-any\r\n"
EXPOSED = {
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Request-Id",
    "Upload-Offset",
    "Upload-Length",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Idempotency-Replayed",
    "X-Goog-Upload-Status",
    "X-Goog-Upload-URL",
    "X-Goog-Upload-Control-URL",
    "X-Goog-Upload-Chunk-Granularity",
    "X-Goog-Upload-Size-Received",
    "Server-Timing",
}


async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail in the way that the path names."""
    if scope["path"] == "/defect":
        raise RuntimeError
    raise NotFoundError("There is no such path.")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n" + HOST + PAGE + b"\r\n", 404),
        (b"GET /defect HTTP/1.1\r\n" + HOST + PAGE + b"\r\n", 500),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + PAGE + b"\r\n", 421),
        (b"GET / HTTP/1.1\r\n" + PAGE + b"X: y\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + PAGE + b"Accept: */*\r\nNo colon\r\n\r\n", 400),
        (b"OPTIONS / HTTP/1.1\r\n" + PAGE + PREFLIGHT + b"Accept: */*\r\nNo colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + PAGE + b"X-Slow: ", 408),
    ],
)
async def test_an_error_can_be_read_by_an_allowed_page(request_bytes: bytes, status: int) -> None:
    async with serving(guarded(by_path), limits=EdgeLimits(header_timeout_s=0.2)) as served:
        answer = await served.ask(request_bytes)

    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert set(answer.headers["access-control-expose-headers"].split(", ")) == EXPOSED
    assert answer.headers["x-request-id"] == answer.problem["request_id"]


async def test_a_preflight_of_an_allowed_page_lasts_a_day() -> None:
    async with serving(guarded(answer_ok, is_open=True)) as served:
        answer = await served.ask(b"OPTIONS /api/v1/generate HTTP/1.1\r\n" + HOST + PAGE + PREFLIGHT + b"\r\n")

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-headers"] == "authorization, x-any"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
    assert answer.headers["access-control-max-age"] == "86400"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_of_a_foreign_page_is_refused() -> None:
    request = b"OPTIONS / HTTP/1.1\r\n" + HOST + b"Origin: https://evil.example\r\n" + PREFLIGHT + b"\r\n"

    async with serving(guarded(answer_ok)) as served:
        answer = await served.ask(request)

    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost", True),
        ("https://localhost:8443", True),
        ("http://127.0.0.1:5173", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:3000", True),
        ("https://app.example", True),
        ("http://app.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example/localhost", False),
        ("http://localhost:80:80", False),
        ("null", False),
        ("", False),
    ],
)
def test_loopback_pages_are_told_from_those_that_look_like_it(origin: str, is_allowed: bool) -> None:
    rule = origin_rule(("https://app.example",), allow_loopback=True)

    assert rule(origin) is is_allowed


def test_without_loopback_only_the_named_origins_are_allowed() -> None:
    rule = origin_rule(("https://app.example",), allow_loopback=False)

    assert rule("https://app.example")
    assert not rule("http://localhost")


def test_a_star_allows_every_page() -> None:
    assert origin_rule(("*",), allow_loopback=False)("https://any.example")
