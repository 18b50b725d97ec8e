"""An upstream that forwards to the emulator until it is told to redirect, and the origin that it redirects to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

_NOT_FORWARDED = frozenset({"transfer-encoding", "connection", "content-length"})
Chooses = Callable[[web.Request], bool]


@dataclass(slots=True)
class Elsewhere:
    """An origin that is not Gemini's; `connections` counts every connection to it."""

    url: str = ""
    connections: int = 0


@dataclass(slots=True)
class Redirecting:
    """A running upstream. While `status` is set, the requests that `chooses` picks are redirected to `location`."""

    target: str
    url: str = ""
    status: int | None = None
    location: str = ""
    chooses: Chooses = lambda _: True
    redirected: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def has_redirected(self, call: str) -> bool:
        """Return whether a call that begins so was redirected."""
        return any(redirected.startswith(call) for redirected in self.redirected)

    async def answer(self, request: web.Request) -> web.Response:
        """Redirect or forward one request."""
        self.paths.append(request.path)
        body = await request.read()
        if self.status is not None and self.chooses(request):
            self.redirected.append(f"{request.method} {request.path}")
            return web.Response(status=self.status, headers={"Location": self.location})
        headers = CIMultiDict((n, v) for n, v in request.headers.items() if n.lower() not in _NOT_FORWARDED)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, f"{self.target}{request.path_qs}", headers=headers, data=body, allow_redirects=False
            ) as answer,
        ):
            passed = CIMultiDict((n, v) for n, v in answer.headers.items() if n.lower() not in _NOT_FORWARDED)
            return web.Response(status=answer.status, headers=passed, body=await answer.read())


@asynccontextmanager
async def redirecting(target: str) -> AsyncIterator[Redirecting]:
    """Run the upstream in front of `target` until the block ends."""
    upstream = Redirecting(target)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", upstream.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield upstream
    finally:
        await runner.cleanup()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Run the other origin until the block ends; it accepts connections and answers nothing."""
    other = Elsewhere()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other.connections += 1
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        other.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield other
