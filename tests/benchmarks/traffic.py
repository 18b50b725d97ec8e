"""The load generator: HTTP/1.1 on raw connections, ready-made bytes out, little looked at on the way back."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

from tests.benchmarks.processes import BenchmarkError

HIGH_WATER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its body, and seconds until its first marked bytes and until its end."""

    body: bytes
    first_s: float
    total_s: float


class Connection(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._writable.set()
        self._begin(b"")

    def _begin(self, mark: bytes) -> None:
        self._received = bytearray()
        self._end: int | None = None
        self._is_chunked = False
        self._mark = mark
        self._began_at = self._first_at = perf_counter()
        self._answer: asyncio.Future[Answer] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if not self._answer.done():
            said = bytes(self._received[:500]).decode("latin-1")
            self._answer.set_exception(BenchmarkError(f"the server closed the connection: {exc} {said}"))
            # Not every call is awaited when a run is broken off.
            self._answer.exception()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if self._end is None and not self._is_chunked and (split := received.find(b"\r\n\r\n")) >= 0:
            self._read_head(bytes(received[:split]).lower(), split + 4)
        if self._mark and self._mark in received:
            self._first_at = perf_counter()
            self._mark = b""
        if self._is_chunked:
            if received.endswith(b"\r\n0\r\n\r\n"):
                self._finish()
        elif self._end is not None and len(received) >= self._end:
            self._finish()

    def _read_head(self, head: bytes, body_at: int) -> None:
        if not head.startswith(b"http/1.1 20") and not self._answer.done():
            text = bytes(self._received[:1_000]).decode("latin-1")
            self._answer.set_exception(BenchmarkError(f"the server refused: {text}"))
        _, found, rest = head.partition(b"content-length:")
        if found:
            self._end = body_at + int(rest.partition(b"\r\n")[0])
        else:
            self._is_chunked = b"transfer-encoding: chunked" in head

    def _finish(self) -> None:
        if not self._answer.done():
            now = perf_counter()
            first_s = self._first_at - self._began_at
            self._answer.set_result(Answer(bytes(self._received), first_s, now - self._began_at))

    async def call(self, request: bytes, *, mark: bytes = b"") -> Answer:
        """Send a request and wait for its answer; `mark` is a part of the bytes that count as its first.

        Raises BenchmarkError for anything but success.
        """
        self._begin(mark)
        self._transport.write(request)
        return await self._answer

    async def send(self, pieces: Iterable[bytes], *, rate: float | None = None) -> Answer:
        """Send a request in pieces, at most `rate` bytes a second, and wait for its answer."""
        self._begin(b"")
        began_at, sent = perf_counter(), 0
        for piece in pieces:
            self._transport.write(piece)
            sent += len(piece)
            await self._writable.wait()
            if self._answer.done():
                break
            if rate is not None and (ahead_s := began_at + sent / rate - perf_counter()) > 0:
                await asyncio.sleep(ahead_s)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Open connections to a server on this machine, and close them."""
    opened: list[Connection] = []
    try:
        for _ in range(count):
            _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()


@dataclass(slots=True)
class Load:
    """The result of a closed loop: calls, and seconds from its first to its last byte."""

    calls: int = 0
    elapsed_s: float = 0.0
    answers: list[Answer] = field(default_factory=list)


async def closed_loop(pool: Sequence[Connection], request: bytes, *, duration_s: float) -> Load:
    """Keep every connection busy for `duration_s`, and let the calls in flight end."""
    load = Load()
    began_at = perf_counter()

    async def keep_calling(connection: Connection) -> None:
        while perf_counter() - began_at < duration_s:
            await connection.call(request)
            load.calls += 1

    async with asyncio.TaskGroup() as group:
        for connection in pool:
            group.create_task(keep_calling(connection))
    load.elapsed_s = perf_counter() - began_at
    return load


async def all_at_once(pool: Sequence[Connection], request: bytes, *, times: int = 1, mark: bytes = b"") -> Load:
    """Let every connection make `times` calls, one after another."""
    load = Load()
    began_at = perf_counter()

    async def call(connection: Connection) -> None:
        for _ in range(times):
            load.answers.append(await connection.call(request, mark=mark))
            load.calls += 1

    async with asyncio.TaskGroup() as group:
        for connection in pool:
            group.create_task(call(connection))
    load.elapsed_s = perf_counter() - began_at
    return load
