"""Bodies as they arrive: their length, silence and rate."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.edge import body_timeouts
from app.edge.body_timeouts import body_of, content_length
from app.errors import ClientGoneError, MalformedRequestError, SlowBodyError
from app.request.context import RequestContext
from tests.integration.edge.wire import HOST, guarded, respond, scripted, serving, timeouts

CHUNKED: Scope = {"type": "http", "headers": []}


def _piece(size: int, *, more_body: bool = True) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more_body}


async def _read(receive: Receive) -> int:
    return sum([len(piece) async for piece in body_of(CHUNKED, receive, timeouts(min_body_rate=1_000))])


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def slowly(self, seconds: float, *messages: Message) -> Receive:
        left = iter(messages)

        async def receive() -> Message:
            self.now_s += seconds
            return next(left)

        return receive


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(body_timeouts, "monotonic", clock)
    return clock


async def test_the_pieces_come_in_order_and_none_is_empty() -> None:
    receive = scripted(_piece(3), _piece(0), {"type": "http.request", "body": b"end"})

    pieces = [piece async for piece in body_of(CHUNKED, receive, timeouts())]

    assert pieces == [b"xxx", b"end"]


async def test_bytes_that_have_arrived_are_taken_without_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    scope: Scope = {**CHUNKED}
    RequestContext(is_body_here=lambda: True).place(scope)
    monkeypatch.setattr(asyncio, "timeout", None)

    pieces = [piece async for piece in body_of(scope, scripted(_piece(3, more_body=False)), timeouts())]

    assert pieces == [b"xxx"]


async def test_a_body_slower_than_the_minimum_is_refused_after_the_grace(clock: Clock) -> None:
    receive = clock.slowly(6, _piece(900), _piece(900), _piece(900, more_body=False))

    with pytest.raises(SlowBodyError):
        await _read(receive)


async def test_within_the_grace_a_body_may_be_slow(clock: Clock) -> None:
    receive = clock.slowly(4, _piece(1), _piece(1), _piece(1, more_body=False))

    assert await _read(receive) == 3


async def test_a_body_above_the_minimum_rate_is_read_on(clock: Clock) -> None:
    receive = clock.slowly(20, _piece(21_000), _piece(21_000), _piece(1, more_body=False))

    assert await _read(receive) == 42_001


async def test_a_fast_start_buys_no_time_for_later(clock: Clock) -> None:
    left = iter([(11, 10_000_000), *[(5, 1)] * 10])

    async def receive() -> Message:
        seconds, size = next(left)
        clock.now_s += seconds
        return _piece(size)

    with pytest.raises(SlowBodyError):
        await _read(receive)


async def test_time_that_the_reader_takes_does_not_count_against_the_client(clock: Clock) -> None:
    receive = clock.slowly(0.1, *[_piece(200)] * 200, _piece(0, more_body=False))
    received = 0

    async for piece in body_of(CHUNKED, receive, timeouts(min_body_rate=1_000)):
        received += len(piece)
        clock.now_s += 100

    assert received == 40_000


async def test_a_client_that_leaves_is_no_end_of_the_body() -> None:
    receive = scripted(_piece(3), {"type": "http.disconnect"})

    with pytest.raises(ClientGoneError):
        await _read(receive)


async def test_a_body_that_falls_silent_is_answered_with_408() -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        async for _ in body_of(scope, receive, timeouts(idle_s=0.1)):
            pass
        await respond(send)

    async with serving(guarded(read)) as served:
        answer = await served.ask(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")

    assert answer.status == 408
    assert answer.problem["code"] == "slow-body"
    assert answer.headers["connection"] == "close"


async def test_an_unread_body_stays_in_the_network() -> None:
    sizes: list[int] = []

    async def dawdle(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.2)
        message = await receive()
        sizes.append(len(message["body"]))
        await respond(send)

    async with serving(guarded(dawdle)) as served:
        await served.ask(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9000000\r\n\r\n" + b"x" * 2_000_000)

    one_read_bytes = 256 * 1024
    assert 0 < sizes[0] <= 64 * 1024 + one_read_bytes


async def test_a_body_of_no_bytes_is_not_waited_for() -> None:
    scope: Scope = {"type": "http", "headers": [(b"content-length", b"0")]}

    pieces = [piece async for piece in body_of(scope, scripted(), timeouts())]

    assert pieces == []


def test_the_content_length_is_a_number_or_none() -> None:
    assert content_length({"type": "http", "headers": [(b"content-length", b"42")]}) == 42
    assert content_length(CHUNKED) is None


@pytest.mark.parametrize("values", [[b"5", b"5"], [b"-5"], [b"5, 5"], [b""], [b"0x5"], [b"9" * 19]])
def test_a_content_length_that_is_not_a_number_or_given_twice_is_malformed(values: list[bytes]) -> None:
    with pytest.raises(MalformedRequestError):
        content_length({"type": "http", "headers": [(b"content-length", value) for value in values]})
