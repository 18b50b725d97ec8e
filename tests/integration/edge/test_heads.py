"""The limits of a request's head: its size, its number of headers, its time, its form."""

import asyncio
import json
import tracemalloc

import pytest

from app.edge.limits import EdgeLimits
from tests.integration.edge.wire import HOST, PAGE, Served, answer_ok, echo, guarded, serving

OK_GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


async def _push(served: Served, start: bytes, piece: bytes, times: int) -> tuple[bytes, int]:
    """Send a head without end while reading; give the answer and how many pieces went out."""
    async with served.client() as client:
        await client.send(start)
        pushed = 0

        async def push() -> None:
            nonlocal pushed
            while pushed < times:
                try:
                    await client.send(piece)
                except ConnectionError:
                    return
                pushed += 1

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(push())
            answer = await client.reader.readuntil(b"}")
        return answer, pushed


@pytest.mark.parametrize(
    "piece", [b"X-Many: of-them\r\n" * 2_000, b"x" * 65_536], ids=["headers without number", "a header without end"]
)
async def test_a_head_without_end_is_refused_with_bounded_memory(piece: bytes) -> None:
    start = b"GET / HTTP/1.1\r\n" + HOST + PAGE + b"X-Long: "

    async with serving(guarded(answer_ok)) as served:
        tracemalloc.start()
        answer, _ = await _push(served, start, piece, 80_000_000 // len(piece))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers-too-large"' in answer
    assert b"access-control-allow-origin: http://localhost:5173\r\n" in answer
    assert peak_bytes < 4 * 1024 * 1024


async def test_after_a_refused_head_at_most_the_limit_is_read() -> None:
    piece = b"x" * 65_536

    async with serving(guarded(answer_ok)) as served:
        _, pushed = await _push(served, OK_GET[:-2] + b"X-Long: ", piece, 80_000_000 // len(piece))

    kernel_buffers_bytes = 24 * 1024 * 1024
    assert pushed * len(piece) < EdgeLimits(header_timeout_s=1).drain_bytes + kernel_buffers_bytes


async def test_a_hundred_headers_are_taken_and_one_more_is_not() -> None:
    lines = [b"X-%d: v\r\n" % number for number in range(100)]

    async with serving(guarded(answer_ok)) as served:
        most = await served.ask(b"GET / HTTP/1.1\r\n" + HOST + b"".join(lines[:99]) + b"\r\n")
        more = await served.ask(b"GET / HTTP/1.1\r\n" + HOST + b"".join(lines) + b"\r\n")

    assert most.status == 200
    assert more.status == 431
    assert more.headers["connection"] == "close"


@pytest.mark.parametrize("in_pieces_of", [1_000, 200_000])
@pytest.mark.parametrize(("padding", "status"), [(65_536 - 200, 200), (65_536, 431)])
async def test_64_kib_of_headers_are_taken_and_more_are_not(padding: int, status: int, in_pieces_of: int) -> None:
    head = b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * padding + b"\r\n\r\n"

    async with serving(guarded(answer_ok)) as served, served.client() as client:
        for start in range(0, len(head), in_pieces_of):
            await client.send(head[start : start + in_pieces_of])
        answer = await client.answer()

    assert answer.status == status


async def test_the_request_line_counts_among_the_header_bytes() -> None:
    async with serving(guarded(answer_ok)) as served:
        answer = await served.ask(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")

    assert answer.status == 431


async def test_a_large_body_in_the_heads_packet_is_no_large_head() -> None:
    body = b"x" * 200_000

    async with serving(guarded(echo)) as served:
        answer = await served.ask(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 200000\r\n\r\n" + body)

    assert json.loads(answer.body)["body"] == "x" * 200_000


async def test_a_head_that_does_not_end_is_a_408() -> None:
    async with serving(guarded(answer_ok), limits=EdgeLimits(header_timeout_s=0.1)) as served:
        answer = await served.ask(b"GET / HTTP/1.1\r\n" + PAGE + b"X-Slow: ")

    assert answer.status == 408
    assert answer.problem["code"] == "slow-body"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"


async def test_the_next_heads_time_runs_on_a_kept_connection_too() -> None:
    limits = EdgeLimits(header_timeout_s=0.1)

    async with serving(guarded(answer_ok), limits=limits) as served, served.client() as client:
        await client.send(OK_GET)
        first = await client.answer()
        await client.send(OK_GET[:20])
        second = await client.answer()

    assert [first.status, second.status] == [200, 408]


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"], ids=["nothing", "empty lines"])
async def test_a_connection_on_which_no_request_begins_is_closed_without_a_word(sent: bytes) -> None:
    limits = EdgeLimits(header_timeout_s=0.1)

    async with serving(guarded(answer_ok), limits=limits) as served, served.client() as client:
        await client.send(sent)
        rest = await client.rest()

    assert rest == b""


async def test_empty_lines_after_an_answer_do_not_keep_a_connection_for_ever() -> None:
    limits = EdgeLimits(header_timeout_s=0.1)

    async with serving(guarded(answer_ok), limits=limits) as served, served.client() as client:
        await client.send(OK_GET)
        await client.answer()
        await client.send(b"\r\n")
        rest = await client.rest()

    assert rest == b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"No colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
)
async def test_bytes_that_are_no_http_are_a_400_problem(request_bytes: bytes) -> None:
    async with serving(guarded(answer_ok)) as served:
        answer = await served.ask(request_bytes)

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.problem["code"] == "malformed-request"


async def test_a_malformed_request_on_the_native_surface_is_answered_in_googles_shape() -> None:
    request = b"GET /v1beta/models HTTP/1.1\r\n" + HOST + b"No colon\r\n\r\n"

    async with serving(guarded(answer_ok)) as served:
        answer = await served.ask(request)

    assert json.loads(answer.body)["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_malformed_head_request_is_answered_without_a_body() -> None:
    async with serving(guarded(answer_ok)) as served, served.client() as client:
        await client.send(b"HEAD / HTTP/1.1\r\n" + HOST + b"No colon\r\n\r\n")
        rest = await client.rest()

    assert rest.startswith(b"HTTP/1.1 400 ")
    assert rest.endswith(b"\r\n\r\n")


async def test_a_body_whose_framing_breaks_is_a_400_of_the_application() -> None:
    request = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n"

    async with serving(guarded(echo)) as served:
        answer = await served.ask(request)

    assert answer.status == 400
    assert answer.problem["code"] == "malformed-request"


@pytest.mark.parametrize("endless", [b"0\r\nX-Trailer: ", b"3;extension="], ids=["trailer", "chunk extension"])
async def test_framing_without_end_is_refused(endless: bytes) -> None:
    request = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + endless

    async with serving(guarded(echo)) as served:
        answer, _ = await _push(served, request, b"x" * 65_536, 1_000)

    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_trailers_do_not_become_headers() -> None:
    body = b"3\r\nabc\r\n0\r\nAuthorization: Bearer of-nobody\r\n\r\n"

    async with serving(guarded(echo)) as served:
        answer = await served.ask(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body)

    assert answer.problem["body"] == "abc"
    assert answer.problem["headers"] == ["host", "transfer-encoding"]


async def test_an_upgrade_that_is_not_known_is_ignored_and_the_body_read() -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    request = b"POST /x HTTP/1.1\r\n" + HOST + upgrade + b"Content-Length: 5\r\n\r\nabcde"

    async with serving(guarded(echo)) as served, served.client() as client:
        await client.send(request + OK_GET)
        first = await client.answer()
        second = await client.answer()

    assert first.problem == {
        "method": "POST",
        "path": "/x",
        "headers": ["host", "content-length"],
        "body": "abcde",
    }
    assert second.problem["method"] == "GET"
