"""WebSockets: handshakes that are refused, late or odd, and clients that send more than they read."""

import asyncio
import logging
import os
import struct
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import connect

from app.edge.access_log import AccessLog
from app.edge.handshake import HandshakeTimeout
from app.edge.limits import EdgeLimits
from tests.integration.edge.wire import HOST, PATIENCE_S, Client, guarded, serving

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
HANDSHAKE = b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n"
FIN, TEXT, PING = 0x80, 0x1, 0x9


def _frame(opcode: int, content: bytes = b"") -> bytes:
    """Return a client's frame of up to 125 bytes, masked by zeros."""
    return struct.pack("!BB4x", opcode, 0x80 | len(content)) + content


async def _accept(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


async def _status(client: Client) -> int:
    async with asyncio.timeout(PATIENCE_S):
        head = await client.reader.readuntil(b"\r\n\r\n")
    return int(head.split(b" ")[1])


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X-Long: " + b"x" * 9_000 + b"\r\n",
    ],
    ids=["length", "two lengths", "chunked", "long line"],
)
async def test_a_handshake_with_a_body_or_a_long_line_is_answered_with_400_and_closed(header: bytes) -> None:
    async with serving(guarded(_accept)) as served, served.client() as client:
        await client.send(b"GET /ws HTTP/1.1\r\n" + HOST + header + UPGRADE + b"\r\n")
        answer = await client.answer()
        rest = await client.rest()

    assert answer.status == 400
    assert b'"status":"INVALID_ARGUMENT"' in answer.body
    assert answer.headers["connection"] == "close"
    assert rest == b""


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"POST /ws HTTP/1.1", 405), (b"GET /w\xe9 HTTP/1.1", 400), (b"GET /ws HTTP/1.0", 101)],
)
async def test_every_handshake_is_answered(request_line: bytes, status: int) -> None:
    async with serving(guarded(_accept)) as served, served.client() as client:
        await client.send(request_line + b"\r\n" + HOST + UPGRADE + b"\r\n")
        given = await _status(client)

    assert given == status


async def test_a_handshake_with_an_empty_body_is_accepted() -> None:
    async with serving(guarded(_accept)) as served, served.client() as client:
        await client.send(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"))
        status = await _status(client)

    assert status == 101


async def test_a_half_sent_handshake_is_refused_in_time() -> None:
    async with serving(guarded(_accept), limits=EdgeLimits(header_timeout_s=0.2)) as served, served.client() as client:
        await client.send(HANDSHAKE[:-2])
        answer = await client.answer()

    assert answer.status == 408


async def test_a_handshake_that_the_application_does_not_answer_is_refused() -> None:
    was_cancelled = asyncio.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()

    async with serving(AccessLog(HandshakeTimeout(hang, timeout_s=0.1))) as served, served.client() as client:
        await client.send(HANDSHAKE)
        status = await _status(client)
        await client.rest()

    assert status == 503
    assert was_cancelled.is_set()


async def test_an_accepted_websocket_outlives_the_handshakes_time() -> None:
    async def echo_late(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.3)
        await send({"type": "websocket.send", "text": "late"})

    async with (
        serving(AccessLog(HandshakeTimeout(echo_late, timeout_s=0.1))) as served,
        connect(f"ws://localhost:{served.port}/ws", host="127.0.0.1") as socket,
    ):
        received = await socket.recv()

    assert received == "late"


async def test_frames_before_the_answer_wait_for_it() -> None:
    has_begun, may_accept = asyncio.Event(), asyncio.Event()
    received: asyncio.Queue[Message] = asyncio.Queue()

    async def accept_late(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        has_begun.set()
        await may_accept.wait()
        await send({"type": "websocket.accept"})
        received.put_nowait(await receive())

    async with serving(guarded(accept_late)) as served, served.client() as client:
        await client.send(HANDSHAKE + _frame(FIN | PING))
        async with asyncio.timeout(PATIENCE_S):
            await has_begun.wait()
        await client.send(_frame(FIN | TEXT, b"early"))
        await asyncio.sleep(0.05)
        may_accept.set()
        head = await client.reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            message = await received.get()

    assert head.startswith(b"HTTP/1.1 101 ")
    assert message["text"] == "early"


async def test_a_flood_of_small_messages_is_parsed_in_slices_and_arrives_whole() -> None:
    count, most_queued = 0, 0

    async def consume(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal count, most_queued
        await receive()
        await send({"type": "websocket.accept"})
        (connection,) = connections
        while (message := await receive())["type"] == "websocket.receive":
            count += 1
            most_queued = max(most_queued, connection.queue.qsize())
            if message["text"] == "end":
                await send({"type": "websocket.close"})

    async with serving(guarded(consume)) as served, served.client() as client:
        connections = served.connections
        await client.send(HANDSHAKE)
        await _status(client)
        await client.send(_frame(FIN | TEXT) * 50_000 + _frame(FIN | TEXT, b"end"))
        await client.rest()

    slice_bytes, smallest_frame_bytes = 4_096, 6
    assert count == 50_001
    assert most_queued <= slice_bytes // smallest_frame_bytes + 1


async def test_pings_of_a_client_that_reads_nothing_do_not_pile_up_as_pongs() -> None:
    has_begun, has_ended = asyncio.Event(), asyncio.Event()

    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun.set()
        await _accept(scope, receive, send)
        has_ended.set()

    async with serving(guarded(accept)) as served:
        # With such a limit the client stops reading after its first bytes.
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(HANDSHAKE)
        async with asyncio.timeout(PATIENCE_S):
            await has_begun.wait()
        most_buffered = 0
        pings = _frame(FIN | PING, os.urandom(125)) * 2_000
        for _ in range(80):
            writer.write(pings)
            await writer.drain()
            (connection,) = served.connections
            most_buffered = max(most_buffered, connection.transport.get_write_buffer_size())
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await has_ended.wait()

    high_water_bytes = 64 * 1024
    assert 0 < most_buffered < 2 * high_water_bytes


async def test_a_message_of_too_many_frames_is_refused() -> None:
    async with serving(guarded(_accept)) as served, served.client() as client:
        await client.send(HANDSHAKE)
        await _status(client)
        await client.send(_frame(TEXT) + _frame(0) * 17_000)
        closing = await client.rest()

    assert struct.unpack("!H", closing[2:4]) == (1009,)


async def test_no_log_line_holds_a_handshakes_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with (
        serving(guarded(_accept)) as served,
        connect(f"ws://localhost:{served.port}/ws?key=a-secret", host="127.0.0.1"),
    ):
        pass

    lines: list[Any] = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    assert any(record.name == "gateway.access" for record in lines)
    assert not any("a-secret" in record.getMessage() for record in lines)
