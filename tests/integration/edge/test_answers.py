"""How answers end connections, and how they don't: early answers, keep-alive, pipelining, 100 Continue, WebSockets."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect

from app.edge.limits import EdgeLimits
from app.errors import InvalidFieldError
from tests.integration.edge.wire import HOST, PATIENCE_S, Client, answer_ok, echo, guarded, respond, serving

OK_GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE_POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n"


async def _push(client: Client, times: int) -> int:
    """Send pieces of 64 KiB until the connection breaks; give the bytes that went out."""
    piece = b"x" * 65_536
    for pushed in range(times):
        try:
            await client.send(piece)
        except ConnectionError:
            return pushed * len(piece)
    return times * len(piece)


async def test_an_early_answer_survives_a_client_that_goes_on_sending() -> None:
    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(LARGE_POST)
        pushed = await _push(client, times=32)
        answer = await client.answer()
        rest = await client.rest()

    assert pushed == 32 * 65_536
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    assert rest == b""


async def test_after_an_early_answer_at_most_the_limit_is_read() -> None:
    limits = EdgeLimits(header_timeout_s=PATIENCE_S, drain_s=3_600)

    async with serving(guarded(answer_ok), limits=limits) as served, served.client() as client:
        await client.send(LARGE_POST)
        answer = await client.answer()
        pushed = await _push(client, times=4_096)

    kernel_buffers_bytes = 24 * 1024 * 1024
    assert answer.status == 200
    assert pushed < limits.drain_bytes + kernel_buffers_bytes


async def test_after_an_early_answer_a_silent_client_is_waited_for_only_so_long() -> None:
    limits = EdgeLimits(header_timeout_s=PATIENCE_S, drain_s=0.1)

    async with serving(guarded(answer_ok), limits=limits) as served, served.client() as client:
        await client.send(LARGE_POST)
        answer = await client.answer()
        await served.until_unconnected()

    assert answer.status == 200


async def test_an_early_answer_ends_the_connection_for_pipelined_requests_too() -> None:
    request = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n"

    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(request)
        answer = await client.answer()
        await client.send(b"abcde" + OK_GET)
        rest = await client.rest()

    assert answer.headers["connection"] == "close"
    assert rest == b""


async def test_an_answer_that_began_before_the_bodys_end_is_the_connections_last() -> None:
    asked: list[str] = []

    async def begin_early(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.body", "body": b"ok"})

    request = b"POST /%d HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n"

    async with serving(guarded(begin_early)) as served, served.client() as client:
        await client.send(request % 1)
        await client.reader.readuntil(b"\r\n\r\n")
        await client.send(b"abcde" + request % 2 + b"ab")
        rest = await client.rest()

    assert rest == b"ok"
    assert asked == ["/1"]


async def test_an_error_whose_body_was_read_whole_keeps_its_connection() -> None:
    async def refuse_after_reading(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        raise InvalidFieldError("This is no value.")

    request = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabcde"

    async with serving(guarded(refuse_after_reading)) as served, served.client() as client:
        await client.send(request)
        first = await client.answer()
        await client.send(request)
        second = await client.answer()

    assert [first.status, second.status] == [422, 422]
    assert "connection" not in first.headers


async def test_a_foreign_host_is_refused_before_100_continue() -> None:
    request = b"POST / HTTP/1.1\r\nHost: evil.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    limits = EdgeLimits(header_timeout_s=PATIENCE_S, drain_s=3_600)

    async with serving(guarded(echo), limits=limits) as served, served.client() as client:
        await client.send(request)
        answer = await client.answer()
        rest = await client.rest()

    assert answer.status == 421
    assert answer.headers["connection"] == "close"
    assert rest == b""


async def test_100_continue_is_answered_when_the_body_is_asked_for() -> None:
    async with serving(guarded(echo)) as served, served.client() as client:
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        interim = await client.reader.readuntil(b"\r\n\r\n")
        await client.send(b"abcde")
        answer = await client.answer()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.problem["body"] == "abcde"
    assert "connection" not in answer.headers


async def test_pipelined_requests_are_answered_in_order() -> None:
    requests = [b"POST /%d HTTP/1.1\r\n" % n + HOST + b"Content-Length: 3\r\n\r\nabc" for n in range(3)]

    async with serving(guarded(echo)) as served, served.client() as client:
        await client.send(b"".join(requests))
        paths = [(await client.answer()).problem["path"] for _ in requests]

    assert paths == ["/0", "/1", "/2"]


async def test_a_malformed_pipelined_request_waits_for_the_answer_before_it() -> None:
    async with serving(guarded(echo)) as served, served.client() as client:
        await client.send(OK_GET + b"nonsense\r\n\r\n")
        first = await client.answer()
        second = await client.answer()
        rest = await client.rest()

    assert [first.status, second.status] == [200, 400]
    assert rest == b""


async def test_an_answer_that_breaks_in_its_middle_is_cut_and_not_completed() -> None:
    async def break_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError

    async with serving(guarded(break_off)) as served, served.client() as client:
        await client.send(OK_GET)
        rest = await client.rest()

    assert rest.endswith(b"4\r\nhalf\r\n")


async def _echo_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def test_a_websocket_is_handed_over_and_outlives_the_heads_time() -> None:
    limits = EdgeLimits(header_timeout_s=0.1)

    async with (
        serving(guarded(_echo_websocket), limits=limits) as served,
        connect(f"ws://localhost:{served.port}/ws/live", host="127.0.0.1") as socket,
    ):
        await asyncio.sleep(2 * limits.header_timeout_s)
        await socket.send("hello")
        echoed = await socket.recv()

    assert echoed == "hello"


async def test_a_websocket_handshake_pipelined_after_a_running_request_is_refused() -> None:
    is_released = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await is_released.wait()
        await respond(send)

    handshake = (
        b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )

    async with serving(guarded(wait)) as served, served.client() as client:
        await client.send(OK_GET + handshake)
        is_released.set()
        first = await client.answer()
        second = await client.answer()

    assert [first.status, second.status] == [200, 400]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_that_asks_for_the_end_of_the_connection_gets_it(version: str) -> None:
    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(f"GET / HTTP/{version}\r\n".encode() + HOST + b"Connection: close\r\n\r\n")
        answer = await client.answer()
        await served.until_unconnected()

    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "header",
    [
        (b"x-named", b"by a client\r\nset-cookie: stolen=1"),
        (b"x-named", b"a\x00b"),
        (b"x-named\r\nset-cookie", b"stolen=1"),
        (b"x named", b"a"),
    ],
)
async def test_a_header_that_would_break_the_head_is_never_sent_but_answered_with_500(
    header: tuple[bytes, bytes],
) -> None:
    async def split(scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"5"), header]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"never"})

    async with serving(guarded(split)) as served, served.client() as client:
        await client.send(OK_GET)
        failed = await client.answer()
        await client.send(OK_GET)
        again = await client.answer()

    assert [failed.status, again.status] == [500, 500]
    assert failed.problem["code"] == "internal"
    assert "set-cookie" not in failed.headers


async def test_an_answer_may_end_the_connection() -> None:
    async def last(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"connection", b"close"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(guarded(last)) as served, served.client() as client:
        await client.send(OK_GET)
        answer = await client.answer()
        rest = await client.rest()

    assert answer.headers["connection"] == "close"
    assert rest == b""


async def test_a_client_that_has_its_answer_is_not_told_to_go_on() -> None:
    async def answer_first(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await receive()
        await send({"type": "http.response.body", "body": b"ok"})

    request = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    async with serving(guarded(answer_first)) as served, served.client() as client:
        await client.send(request)
        await client.send(b"body")
        answer = await client.answer()

    assert answer.status == 200
    assert answer.body == b"ok"
