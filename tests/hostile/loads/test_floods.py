"""Floods of connections, heads, requests and parts: bounded memory, and others are answered meanwhile."""

import asyncio
import contextlib
import json
import socket

import httpx
import pytest

from tests.gateway_process import GatewayProcess
from tests.hostile.loads.conftest import Measure
from tests.hostile.wire import Answers, exchange, opened, request
from tests.raw_http import BOUNDARY
from tests.sizes import size

MIB = 1 << 20
PIPELINED = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
DELAY_S = 0.1
"""CPU time of the event loop while one /healthz waits. Work holds the loop for 20 ms at most, and some may queue."""


def pour(port: int, block: bytes, total: int) -> int:
    """Send a block again and again, on a new connection if one breaks, and read nothing; return the bytes taken."""
    sent = 0
    while sent < total:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, contextlib.suppress(OSError):
            while sent < total:
                sent += connection.send(block)
    return sent


async def test_pipelined_requests_are_not_queued(port: int, measure: Measure) -> None:
    total = size(8 * MIB, nightly=64 * MIB)
    block = PIPELINED * 2_000
    with measure() as load:
        load.sent_bytes = sum(await asyncio.gather(*(asyncio.to_thread(pour, port, block, total) for _ in range(8))))

    assert load.sent_bytes >= 8 * total
    assert load.grown_bytes < load.sent_bytes / 4
    assert load.longest_delay_s < DELAY_S
    assert load.probes > 0


async def test_heads_without_end_take_little_memory_and_are_closed(port: int, measure: Measure) -> None:
    count = size(300, nightly=800)

    async def connect() -> Answers:
        return await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 30_000, ends=False)

    with measure() as load:
        answers = await asyncio.gather(*(connect() for _ in range(count)))
        load.sent_bytes = count * 30_000

    assert {answer.status for answer in answers} <= {0, 408}
    assert load.grown_bytes < 4 * load.sent_bytes + 8 * MIB
    assert load.longest_delay_s < DELAY_S


async def test_slow_bodies_leave_others_their_answers(port: int, measure: Measure, gateway: GatewayProcess) -> None:
    count = size(80, nightly=200)
    head = request("/api/v1/files/raw/a.wav", f"Authorization: Bearer {gateway.key}", method="PUT")
    begun = head.replace(b"Content-Length: 0", b"Content-Length: 100000000") + b"RIFF" + b"\0" * 20_000
    with measure() as load:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                _, writer = await stack.enter_async_context(opened(port))
                writer.write(begun)
                await writer.drain()
            load.sent_bytes = count * len(begun)
            healthy = await exchange(port, request("/healthz"), ends=False)

    assert healthy.status == 200
    assert load.grown_bytes < 16 * load.sent_bytes + 16 * MIB
    assert load.longest_delay_s < DELAY_S


@pytest.mark.parametrize(
    "part",
    [
        b'--%b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n',
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n',
        b'--%b\r\nContent-Disposition: form-data; name="nothing%%d"\r\n\r\n\r\n',
        b"\r\n--%b",
        b"--%b\r\n\r\n",
        b"\r\n",
    ],
    ids=["prompts", "empty-files", "unknown-fields", "delimiters", "headless", "lines"],
)
async def test_a_form_of_countless_parts_is_refused_within_its_bounds(
    port: int, measure: Measure, gateway: GatewayProcess, part: bytes
) -> None:
    total = size(10 * MIB, nightly=60 * MIB)
    block = part.replace(b"%b", BOUNDARY.encode())
    body = block * (total // len(block))
    with measure() as load:
        head = request("/api/v1/generate", FORM, f"Authorization: Bearer {gateway.key}", method="POST", body=body)
        answer = await exchange(port, head, ends=False)
        load.sent_bytes = len(body)

    assert answer.status in {400, 413, 422}
    assert load.grown_bytes < load.sent_bytes + 16 * MIB
    assert load.cpu_s < 0.5 * load.sent_mib + 1
    assert load.longest_delay_s < DELAY_S


SHAPES = {
    "numbers": "1,",
    "lists": "[],",
    "objects": "{},",
    "strings": '"",',
    "names": '"files/a",',
    "nested": '{"a":[',
    "messages": '{"role":"user","content":"a"},',
    "escapes": '"\\u0041",',
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_json_of_countless_values_is_refused_within_its_bounds(
    port: int, measure: Measure, gateway: GatewayProcess, shape: str
) -> None:
    total = size(5 * MIB, nightly=10 * MIB)
    items = SHAPES[shape] * (total // len(SHAPES[shape]))
    body = f'{{"messages":[{items}{json.dumps({"role": "user", "content": "x"})}]}}'.encode()
    with measure() as load:
        sent = request(
            "/api/v1/chat",
            "Content-Type: application/json",
            f"Authorization: Bearer {gateway.key}",
            method="POST",
            body=body,
        )
        answer = await exchange(port, sent, ends=False)
        load.sent_bytes = len(body)

    assert answer.status in {400, 413, 422}
    assert load.grown_bytes < 16 * load.sent_bytes + 16 * MIB
    assert load.cpu_s < 0.25 * load.sent_mib + 1


NATIVE_SHAPES = {
    **SHAPES,
    "references": '{"fileData":{"fileUri":"files/a"}},',
    "long names": f'{{"{"n" * 8_000}":1}},',
}


@pytest.mark.parametrize("shape", NATIVE_SHAPES)
async def test_json_of_countless_values_on_googles_path_is_scanned_within_its_bounds(
    port: int, measure: Measure, gateway: GatewayProcess, shape: str
) -> None:
    total = size(8 * MIB, nightly=105 * MIB)
    items = NATIVE_SHAPES[shape] * (total // len(NATIVE_SHAPES[shape]))
    body = f'{{"contents":[{{"parts":[{items}{{"text":"x"}}]}}]}}'.encode()
    with measure() as load:
        sent = request(
            "/v1beta/models/gemini-3.8-flash:generateContent",
            "Content-Type: application/json",
            f"Authorization: Bearer {gateway.key}",
            method="POST",
            body=body,
        )
        answer = await exchange(port, sent, ends=False)
        load.sent_bytes = len(body)

    assert answer.status in {400, 403, 404, 413}
    assert load.grown_bytes < 2 * load.sent_bytes + 16 * MIB
    assert load.cpu_s < 0.25 * load.sent_mib + 1
    assert load.longest_delay_s < DELAY_S


async def test_a_flood_of_chunks_to_one_upload_is_answered_within_its_bounds(
    port: int, measure: Measure, gateway: GatewayProcess
) -> None:
    count = size(500, nightly=5_000)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        started = await client.post(
            "/upload/v1beta/files",
            headers={
                "x-goog-api-key": gateway.key,
                "x-goog-upload-protocol": "resumable",
                "x-goog-upload-command": "start",
                "x-goog-upload-header-content-length": "1000000",
                "x-goog-upload-header-content-type": "audio/wav",
            },
        )
    address = started.headers["x-goog-upload-url"].partition(f":{port}")[2]
    # Each chunk is at a wrong offset, so that none of them ends the upload.
    chunk = request(
        address, "X-Goog-Upload-Command: upload", "X-Goog-Upload-Offset: 7", method="POST", body=b"x" * 1_000
    )
    with measure() as load:
        for _ in range(count // 50):
            answers = await asyncio.gather(*(exchange(port, chunk, ends=False) for _ in range(50)))
            assert {answer.status for answer in answers} <= {400, 409, 503}
        load.sent_bytes = count * len(chunk)

    assert load.grown_bytes < 16 * load.sent_bytes + 16 * MIB
    assert load.longest_delay_s < DELAY_S


async def test_a_flood_of_frames_before_the_setup_of_a_live_session_is_closed(
    port: int, measure: Measure, gateway: GatewayProcess
) -> None:
    handshake = (
        "GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\nX-Goog-Api-Key: {gateway.key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    ping = bytes([0x89, 0x80, 0, 0, 0, 0])
    total = size(4 * MIB, nightly=64 * MIB)
    with measure() as load:
        sent = await asyncio.gather(
            *(asyncio.to_thread(pour_frames, port, handshake, ping * 10_000, total) for _ in range(4))
        )
        load.sent_bytes = sum(sent)

    assert load.sent_bytes > 0
    assert load.grown_bytes < load.sent_bytes + 16 * MIB
    assert load.longest_delay_s < DELAY_S


def pour_frames(port: int, handshake: bytes, frames: bytes, total: int) -> int:
    """Open a WebSocket and send frames until it is closed or has taken `total` bytes; return the bytes taken."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, contextlib.suppress(OSError):
        connection.sendall(handshake)
        while sent < total:
            sent += connection.send(frames)
    return sent
