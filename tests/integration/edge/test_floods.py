"""Floods of bytes from clients without a credential, against a gateway in its own process: its memory stays bounded."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.gateway_process import GatewayProcess, gateway_process

CONNECTIONS = 8
BYTES_EACH = 8 << 20
REQUESTS = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with gateway_process("http://127.0.0.1:9") as running:
        yield running


def _push(address: tuple[str, int], data: bytes, most_bytes: int) -> int:
    """Send data again and again, on new connections if one breaks, and read nothing; return the bytes sent."""
    sent = 0
    while sent < most_bytes:
        with socket.create_connection(address, timeout=10) as line:
            try:
                while sent < most_bytes:
                    sent += line.send(data)
            except OSError:
                continue
    return sent


def test_pipelined_requests_of_many_megabytes_take_up_little_memory_and_others_are_answered(
    gateway: GatewayProcess,
) -> None:
    url = urlsplit(gateway.url)
    address = (url.hostname or "", url.port or 0)
    process = psutil.Process(gateway.process.pid)
    _push(address, REQUESTS, 1 << 20)
    before = process.memory_info().rss
    sent: list[int] = []
    pushing = [
        threading.Thread(target=lambda: sent.append(_push(address, REQUESTS, BYTES_EACH))) for _ in range(CONNECTIONS)
    ]
    for thread in pushing:
        thread.start()
    statuses, most = set(), before
    while any(thread.is_alive() for thread in pushing):
        statuses.add(httpx.get(f"{gateway.url}/healthz", timeout=30).status_code)
        most = max(most, process.memory_info().rss)

    assert sum(sent) >= CONNECTIONS * BYTES_EACH
    assert statuses == {200}
    assert most - before < sum(sent) / 4
