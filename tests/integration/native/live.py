"""A client of Live sessions for tests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.closed_gateway import Closed

MODEL = "gemini-3.8-flash"
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
HELLO = {"contents": [{"parts": [{"text": "Hello"}]}]}
SETUP = {"setup": {"model": f"models/{MODEL}"}}


@asynccontextmanager
async def session(closed: Closed, key: str | None, path: str = PATH, **more: Any) -> AsyncIterator[ClientConnection]:
    headers = {} if key is None else {"x-goog-api-key": key}
    async with connect(
        f"ws://127.0.0.1:{closed.gateway.port}{path}", additional_headers=headers, proxy=None, **more
    ) as socket:
        yield socket


async def say(socket: ClientConnection, message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await socket.recv()))


async def begun(socket: ClientConnection, **setup: Any) -> None:
    await say(socket, {"setup": {**SETUP["setup"], **setup}})
    assert await hear(socket) == {"setupComplete": {}}


def content(*parts: Any) -> dict[str, Any]:
    return {"client_content": {"turns": [{"role": "user", "parts": list(parts)}], "turn_complete": True}}


async def turn(socket: ClientConnection) -> str:
    text = ""
    while True:
        server = (await hear(socket)).get("serverContent", {})
        text += "".join(part.get("text", "") for part in server.get("modelTurn", {}).get("parts", []))
        if server.get("turnComplete"):
            return text


async def closing(socket: ClientConnection) -> tuple[int, str]:
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code or 0, socket.close_reason or ""
