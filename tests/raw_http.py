"""Requests byte by byte over a real socket, for bytes that an HTTP client library would not send."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

BOUNDARY = "boundary-of-the-tests"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def part(name: str, data: bytes, filename: str | None = None, *headers: str) -> bytes:
    """Return one part of a form, after its delimiter."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    lines = "\r\n".join([f"--{BOUNDARY}", disposition, *headers])
    return lines.encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def head(
    path: str = "/api/v1/generate",
    *headers: str,
    method: str = "POST",
    length: int | None = None,
    boundary: str = BOUNDARY,
) -> bytes:
    """Return a request's head."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if method in {"POST", "PUT"}:
        lines.append(f"Content-Type: multipart/form-data; boundary={boundary}")
        lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def chunked(pieces: Iterable[bytes]) -> bytes:
    """Return pieces in chunked transfer encoding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


class Connection:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Cut the connection with a reset, as a phone that loses its network is seen by a server at best."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def answer_head(self) -> tuple[int, dict[str, str]]:
        """Read the status and the headers of an answer, their names in lower case."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        return int(lines[0].split()[1]), headers

    async def answer(self) -> RawAnswer:
        """Read one answer."""
        status, headers = await self.answer_head()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return RawAnswer(status, headers, body)

    async def is_closed(self) -> bool:
        """Return whether the other side has closed, after a short wait."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    """Connect."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def post(port: int, body: bytes, *headers: str, path: str = "/api/v1/generate") -> RawAnswer:
    """Post a form and read the answer."""
    async with connection(port) as line:
        await line.send(head(path, *headers, length=len(body)) + body)
        return await line.answer()
