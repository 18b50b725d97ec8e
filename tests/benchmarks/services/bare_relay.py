"""The floor of any relay in Python: plain ASGI, aiohttp, a ready Gemini request passed on as it comes."""

from collections.abc import AsyncIterator

import aiohttp
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

PASSED = (b"content-type", b"content-length", b"x-goog-upload")
"""What of the heads goes through, by how the names begin."""


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


class BareRelay:
    """Passes a request's path and body on with the key, and the answer back as it comes."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._session is not None:
            await self._relay(self._session, scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _relay(self, session: aiohttp.ClientSession, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name.startswith(PASSED)}
        headers["x-goog-api-key"] = self._key
        url = URL(f"{self._base_url}{scope['path']}?{scope['query_string'].decode()}", encoded=True)
        async with session.post(url, data=_body(receive), headers=headers) as answer:
            told = [(name.lower(), value) for name, value in answer.raw_headers if name.lower().startswith(PASSED)]
            await send({"type": "http.response.start", "status": answer.status, "headers": told})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


def create(base_url: str, key: str) -> ASGIApp:
    """Build the relay in front of `base_url`."""
    return BareRelay(base_url, key)
