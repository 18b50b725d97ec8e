"""Requests as bytes over a connection of their own, read to its end: for heads that no client library sends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 8
END_S = 60.0
SLICE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that came back over one connection."""

    data: bytes

    @property
    def status(self) -> int:
        """The status of the first final answer, 0 if the connection was closed without one."""
        rest = self.data
        while rest.startswith(b"HTTP/1.1 1"):
            rest = rest.partition(b"\r\n\r\n")[2]
        return int(rest.split(b" ", 2)[1]) if rest.startswith(b"HTTP/1.1 ") else 0

    @property
    def count(self) -> int:
        """The number of final answers."""
        return self.data.count(b"HTTP/1.1 ") - self.data.count(b"HTTP/1.1 1")

    @property
    def body(self) -> bytes:
        """The bytes behind the first head."""
        return self.data.partition(b"\r\n\r\n")[2]


class _Collector(asyncio.Protocol):
    """Keeps everything that comes, also if the connection is reset afterwards."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.may_write = asyncio.Event()
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.may_write.set()
        self.lost.set_result(None)


async def exchange(port: int, *pieces: bytes, ends: bool = True) -> Answers:
    """Send bytes over a new connection, end the sending side if `ends`, and read until the gateway closes."""
    transport, collector = await asyncio.get_running_loop().create_connection(_Collector, "127.0.0.1", port)
    try:
        for piece in pieces:
            for at in range(0, len(piece), SLICE_BYTES):
                await collector.may_write.wait()
                if not transport.is_closing():
                    transport.write(piece[at : at + SLICE_BYTES])
                await asyncio.sleep(0)
        if ends and not transport.is_closing():
            transport.write_eof()
        async with asyncio.timeout(END_S):
            await collector.lost
    finally:
        # A transport that has lost its connection cannot be aborted.
        if not collector.lost.done():
            transport.abort()
    return Answers(bytes(collector.data))


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, and cut it off at the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request(target: str, *headers: str, method: str = "GET", body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """Return a request that asks for the connection to be closed after its answer."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("utf-8", "surrogateescape") + body


async def each(cases: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Run `work` for every case, some of them at a time; the first failure ends all."""
    waiting = iter(cases)

    async def run() -> None:
        for case in waiting:
            await work(case)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(run())
