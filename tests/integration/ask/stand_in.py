"""A stand-in for the gateway on a real socket: it records requests, and answers as a test wants."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from tests.integration.ask.program import cli

PATIENCE_S = 30
"""How long a test waits for what must happen, before it calls it missing."""
MAX_KEPT_BYTES = 1_000_000

ANSWER: dict[str, Any] = {
    "id": "gen_1",
    "created_at": "2026-01-01T00:00:00Z",
    "model": "gemini-3.5-flash-lite",
    "requested_model": "gemini-3.5-flash-lite",
    "text": "A café ☕.",
    "parsed": None,
    "finish_reason": "stop",
    "block_reason": None,
    "finish_message": None,
    "thoughts": None,
    "warnings": [],
    "usage": {"total_tokens": 7, "estimated_cost_usd": 0.000012},
    "files": [],
    "metadata": None,
}
PROBLEM: dict[str, Any] = {
    "type": "http://127.0.0.1/problems/file-too-large",
    "title": "The file is too large",
    "status": 413,
    "detail": "big.mov has 3 GB; at most 2 GB are taken.",
    "instance": "/api/v1/generate",
    "code": "file-too-large",
    "request_id": "req_7",
    "errors": [],
    "retryable": False,
    "retry_after_s": None,
    "upstream": None,
}

Answering = Callable[["Received", Send], Awaitable[None]]


@dataclass(slots=True)
class Received:
    """One request: its body up to MAX_KEPT_BYTES, and its whole length."""

    method: str
    path: str
    headers: dict[str, str]
    receive: Receive
    body: bytes = b""
    length: int = 0

    async def read(self) -> None:
        """Read the body to its end."""
        more = True
        while more:
            message = await self.receive()
            piece = message.get("body", b"")
            self.length += len(piece)
            self.body += piece[: MAX_KEPT_BYTES - len(self.body)]
            more = message.get("more_body", False)

    async def until_hangup(self) -> None:
        """Wait until the client is gone."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.receive())["type"] != "http.disconnect":
                pass


@dataclass(slots=True)
class StandIn:
    """A running stand-in; set `answering` before it is asked."""

    port: int
    answering: Answering
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        received = Received(scope["method"], scope["path"], headers, receive)
        self.requests.append(received)
        await self.answering(received, send)

    async def ask(self, *arguments: str, stdin: bytes | None = None) -> "Ended":
        """Run the command against this stand-in."""
        return await run("--url", self.url, *arguments, stdin=stdin)

    async def start(
        self, *arguments: str, stdout: int = asyncio.subprocess.PIPE, stderr: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """Run the command as a process of its own."""
        command = (sys.executable, "-m", "tests.integration.ask.program", "--url", self.url, *arguments)
        stdin = asyncio.subprocess.DEVNULL
        # What a terminal can do must not depend on where the tests run.
        env = {**os.environ, "TERM": "xterm"}
        return await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=stdout, stderr=stderr, env=env)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    code: int
    stdout: str
    stderr: str


async def run(*arguments: str, stdin: bytes | None = None) -> Ended:
    """Run the command in a thread; an error other than AskError is raised here."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments, input=stdin, catch_exceptions=False)
    return Ended(result.exit_code, result.stdout, result.stderr)


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """Serve until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    gateway = StandIn(listener.getsockname()[1], streams(ANSWER))
    server = uvicorn.Server(uvicorn.Config(gateway, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        try:
            yield gateway
        finally:
            server.should_exit = True


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Answer these bytes as soon as a request's head is there, and close. Gives the server's URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def respond(send: Send, status: int, content_type: str, body: bytes) -> None:
    await begin(send, status, content_type)
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
    named = {"content-type": content_type, **headers}
    encoded = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


def event(kind: str, **members: Any) -> bytes:
    """Frame an event as the contract says."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members}, ensure_ascii=False)}\n\n".encode()


def deltas(*texts: str) -> list[bytes]:
    return [event("delta", text=text) for text in texts]


async def send_pieces(send: Send, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def gives(pieces: Sequence[bytes]) -> Answering:
    """Answer with a stream of these pieces, once the form is there."""

    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await begin(send)
        await send_pieces(send, pieces)

    return answering


def streams(answer: dict[str, Any]) -> Answering:
    """Answer with the stream of this answer."""
    start = event("start", id=answer["id"], model=answer["model"], files=[])
    status = event("status", stage="generating")
    return gives([start, status, *deltas(answer["text"]), event("done", response=answer)])


def answers(status: int, content_type: str, body: bytes) -> Answering:
    """Answer in one piece, once the form is there."""

    async def answering(received: Received, send: Send) -> None:
        await received.read()
        await respond(send, status, content_type, body)

    return answering


def refuses(problem: dict[str, Any]) -> Answering:
    return answers(problem["status"], "application/problem+json", json.dumps(problem).encode())
