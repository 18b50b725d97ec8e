"""Helpers of the edge's tests: a server around a handler, and a client that sends raw bytes."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.edge.access_log import AccessLog
from app.edge.body_timeouts import body_of
from app.edge.cors import origin_rule, with_cors
from app.edge.guard import Guard
from app.edge.limits import EdgeLimits
from app.edge.server import make_server
from app.settings import Settings

PATIENCE_S = 20
"""How long a test waits for what must happen, before it calls it missing."""
LIMITS = EdgeLimits(header_timeout_s=PATIENCE_S)
HOST = b"Host: localhost\r\n"
PAGE = b"Origin: http://localhost:5173\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, object]:
        problem = json.loads(self.body)
        assert isinstance(problem, dict)
        return problem


class Client:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, method: str = "GET") -> Answer:
        """Read one answer; the connection stays as it is."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = b"" if method == "HEAD" else await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split(" ")[1]), headers, body)

    async def rest(self) -> bytes:
        """Read until the server says that no more comes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    def reset(self) -> None:
        """Go away without a word."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Connections(set[Any]):
    """The server's set of connections, which says when it is empty."""

    def __init__(self) -> None:
        super().__init__()
        self.are_none = asyncio.Event()

    def add(self, connection: object) -> None:
        super().add(connection)
        self.are_none.clear()

    def discard(self, connection: object) -> None:
        super().discard(connection)
        if not self:
            self.are_none.set()


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    connections: "Connections"
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(self, request: bytes, *, method: str = "GET") -> Answer:
        async with self.client() as client:
            await client.send(request)
            return await client.answer(method=method)

    async def until_unconnected(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.connections.are_none.wait()


def guarded(
    handler: ASGIApp, *, is_open: bool = False, origins: Collection[str] = (), allow_loopback: bool = True
) -> ASGIApp:
    rule = origin_rule(origins, allow_loopback=allow_loopback)
    guard = Guard(handler, allowed_hosts=("localhost", "127.0.0.1", "::1"), is_open=is_open, allows_origin=rule)
    return with_cors(AccessLog(guard), origins, allow_loopback=allow_loopback)


@asynccontextmanager
async def serving(app: ASGIApp, *, limits: EdgeLimits = LIMITS) -> AsyncIterator[Served]:
    """Serve an application on a free port of loopback."""

    async def with_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    settings = Settings(shutdown_grace_s=1)
    server = make_server(with_lifespan, host="127.0.0.1", port=0, settings=settings, limits=limits)
    connections = server.server_state.connections = Connections()
    listener = socket.create_server(("127.0.0.1", 0))
    # No task group: a test that fails would cancel the server, which then leaves its listener open.
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield Served(connections, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def timeouts(*, idle_s: float = 60, min_body_rate: int = 0) -> Settings:
    """Return settings with these limits for slow bodies."""
    return Settings(_env_file=None, idle_timeout_s=idle_s, min_body_rate=min_body_rate)


async def respond(send: Send, body: bytes = b"ok", status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await respond(send)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, and answer with the request as it was read."""
    body = b"".join([piece async for piece in body_of(scope, receive, timeouts(idle_s=PATIENCE_S))])
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    seen = {"method": scope["method"], "path": scope["path"], "headers": names, "body": body.decode("latin-1")}
    await respond(send, json.dumps(seen).encode())


def scripted(*messages: Message) -> Receive:
    """Return a `receive` that answers with these messages in turn."""
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return receive
