import hashlib
import socket

import httpx

from emulator_tests.integration.calls import GRANULE, Emulator, status_of


def test_a_connection_that_breaks_leaves_whole_granules_behind(emulator: Emulator) -> None:
    data = b"a" * GRANULE + b"b" * GRANULE
    url = emulator.open(size=len(data))
    target = httpx.URL(url)
    head = (
        f"POST {target.raw_path.decode()} HTTP/1.1\r\nHost: emulator\r\nX-Goog-Upload-Command: upload, finalize\r\n"
        f"X-Goog-Upload-Offset: 0\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((target.host, target.port or 80)) as connection:
        connection.sendall(head.encode() + data[: GRANULE + 100])
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    emulator.wait_until_in_flight(0)

    query = emulator.command(url, "query")
    rest = emulator.command(url, "upload, finalize", data[GRANULE:], offset=GRANULE)

    assert status_of(query) == (200, "active", str(GRANULE))
    assert status_of(rest)[:2] == (200, "final")
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert emulator.state().number("aborted") == 0


def test_a_newer_connection_takes_the_session_over_from_one_that_hangs(emulator: Emulator) -> None:
    data = b"a" * GRANULE + b"b" * GRANULE
    url = emulator.open(size=len(data))
    target = httpx.URL(url)
    head = (
        f"POST {target.raw_path.decode()} HTTP/1.1\r\nHost: emulator\r\nX-Goog-Upload-Command: upload, finalize\r\n"
        f"X-Goog-Upload-Offset: 0\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((target.host, target.port or 80)) as hanging:
        hanging.sendall(head.encode() + b"?" * 1000)
        emulator.wait_until_in_flight(1)
        newer = emulator.command(url, "upload", data[:GRANULE], offset=0)
        hanging.sendall(b"?" * (len(data) - 1000))
        old_answer = hanging.recv(65_536)
    last = emulator.command(url, "upload, finalize", data[GRANULE:], offset=GRANULE)

    assert status_of(newer) == (200, "active", str(GRANULE))
    assert old_answer.startswith(b"HTTP/1.1 409 ")
    assert b"x-goog-upload-status" not in old_answer
    assert status_of(last)[:2] == (200, "final")
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()
