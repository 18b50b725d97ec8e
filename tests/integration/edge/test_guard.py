"""Who may ask from where: Host, Origin, fetch metadata, forwarded requests."""

from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from app.edge.guard import host_name
from tests.integration.edge.wire import HOST, Answer, Served, answer_ok, guarded, respond, serving

Headers = dict[str, str]


async def answer_either(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or accept a WebSocket and close it."""
    if scope["type"] == "http":
        await respond(send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close"})


@pytest.fixture(scope="module")
async def closed() -> AsyncIterator[Served]:
    """A gateway whose clients authenticate."""
    async with serving(guarded(answer_either, origins=("https://app.example",), allow_loopback=False)) as served:
        yield served


@pytest.fixture(scope="module")
async def opened() -> AsyncIterator[Served]:
    """A gateway without client authentication that allows one page."""
    app = guarded(answer_either, is_open=True, origins=("https://app.example",), allow_loopback=False)
    async with serving(app) as served:
        yield served


async def _ask(served: Served, line: str, headers: Headers) -> Answer:
    lines = [f"{line} HTTP/1.1", "Host: localhost:8000", *(f"{name}: {value}" for name, value in headers.items())]
    return await served.ask(("\r\n".join(lines) + "\r\n\r\n").encode())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"])
async def test_own_hosts_are_served_in_any_case_and_at_any_port(closed: Served, host: str) -> None:
    answer = await closed.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", "[::2]:80", "localhost."])
async def test_a_foreign_host_is_misdirected(closed: Served, host: str) -> None:
    answer = await closed.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert answer.status == 421
    assert answer.problem["code"] == "foreign-host"


@pytest.mark.parametrize(
    "lines",
    [b"", HOST + HOST, HOST + b"Host: evil.example\r\n", b"Host: \r\n", b"Host: a b\r\n", b"Host: x@localhost\r\n"],
)
async def test_a_host_that_is_missing_doubled_or_no_host_is_malformed(closed: Served, lines: bytes) -> None:
    answer = await closed.ask(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")

    assert answer.status == 400
    assert answer.problem["code"] == "malformed-request"


async def test_a_problem_links_to_the_validated_host(closed: Served) -> None:
    headers = {"Origin": "https://evil.example", "Via": "1.1 proxy"}

    app = guarded(answer_ok, is_open=True)
    async with serving(app) as served:
        answer = await _ask(served, "GET /x", headers)

    assert answer.problem["type"] == "http://localhost:8000/problems/forbidden-origin"
    assert answer.problem["instance"] == "/x"


async def test_with_authentication_any_origin_may_ask(closed: Served) -> None:
    answer = await _ask(closed, "GET /", {"Origin": "https://evil.example", "X-Forwarded-For": "192.0.2.1"})

    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example", "http://localhost:8001"])
async def test_an_open_gateway_refuses_foreign_origins_before_their_body(opened: Served, origin: str) -> None:
    headers = {"Origin": origin, "Expect": "100-continue", "Content-Length": "5"}

    answer = await _ask(opened, "POST /", headers)

    assert answer.status == 403
    assert answer.problem["code"] == "forbidden-origin"


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:8000"])
async def test_an_open_gateway_takes_allowed_pages_and_its_own(opened: Served, origin: str) -> None:
    answer = await _ask(opened, "POST /", {"Origin": origin, "Sec-Fetch-Site": "cross-site"})

    assert answer.status == 200


async def test_the_default_port_is_the_same_origin(opened: Served) -> None:
    answer = await opened.ask(b"GET / HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://localhost\r\n\r\n")

    assert answer.status == 200


async def test_two_origins_are_refused(opened: Served) -> None:
    origins = b"Origin: https://evil.example\r\nOrigin: https://app.example\r\n"

    answer = await opened.ask(b"GET / HTTP/1.1\r\n" + HOST + origins + b"\r\n")

    assert answer.status == 403


@pytest.mark.parametrize("path", ["/", "/docs", "/problems/not-found"])
async def test_a_link_from_another_site_to_a_page_works(opened: Served, path: str) -> None:
    answer = await _ask(opened, f"GET {path}", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})

    assert answer.status == 200


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("GET /", "no-cors"),
        ("POST /", "navigate"),
        ("GET /api/v1/files", "navigate"),
        ("GET /docs/", "navigate"),
        ("GET /problems", "navigate"),
    ],
)
async def test_another_site_reaches_nothing_but_pages(opened: Served, line: str, mode: str) -> None:
    answer = await _ask(opened, line, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode})

    assert answer.status == 403


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
async def test_other_fetch_sites_pass(opened: Served, site: str) -> None:
    answer = await _ask(opened, "GET /api/v1/files", {"Sec-Fetch-Site": site})

    assert answer.status == 200


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto"])
async def test_an_open_gateway_takes_no_forwarded_requests(opened: Served, name: str) -> None:
    answer = await _ask(opened, "GET /", {name: "192.0.2.1"})

    assert answer.status == 403


@pytest.mark.parametrize(
    ("origin", "host"),
    [(Origin("https://evil.example"), "localhost"), (None, "evil.example"), (Origin("null"), "localhost")],
)
async def test_a_websocket_handshake_is_judged_like_a_request(opened: Served, origin: Origin | None, host: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{host}:{opened.port}/live", host="127.0.0.1", origin=origin)

    assert refused.value.response.status_code == (421 if host == "evil.example" else 403)
    assert refused.value.response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("origin", [Origin("https://app.example"), None])
async def test_an_allowed_websocket_handshake_is_accepted(opened: Served, origin: Origin | None) -> None:
    async with connect(f"ws://localhost:{opened.port}/live", host="127.0.0.1", origin=origin) as socket:
        await socket.wait_closed()

    assert socket.close_code == 1000


def test_an_ipv6_literal_loses_its_brackets_and_port() -> None:
    assert host_name(b"[2001:DB8::1]:443") == "2001:db8::1"
