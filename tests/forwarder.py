"""A server between a gateway and its upstream that passes everything on, with a Date of its own."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


@dataclass(slots=True)
class Forwarder:
    """A running server; `date_ahead_s` is how far its Date is ahead of `now`."""

    upstream: str
    url: str = ""
    date_ahead_s: float = 0.0
    ahead_s: float = field(default=0.0)

    async def forward(self, request: web.Request) -> web.Response:
        """Pass a request on, whole, and its answer back."""
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            url = URL(self.upstream + request.raw_path, encoded=True)
            body = await request.read()
            async with session.request(request.method, url, headers=headers, data=body) as answer:
                kept = {name: text for name, text in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                kept["Date"] = formatdate(time.time() + self.ahead_s + self.date_ahead_s, usegmt=True)
                return web.Response(status=answer.status, headers=kept, body=await answer.read())


@asynccontextmanager
async def forwarder(upstream: str) -> AsyncIterator[Forwarder]:
    """Run a forwarder on a free port of the loopback until the block ends."""
    found = Forwarder(upstream)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", found.forward)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
