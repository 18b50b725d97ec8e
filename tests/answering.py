"""An upstream that answers every request in the same way, and records the requests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Answering:
    """A running upstream; tests may change `answer` while it runs."""

    answer: Answers
    url: str = ""
    requests: list[web.Request] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append(request)
        return await self.answer(request)


@asynccontextmanager
async def answering(answer: Answers) -> AsyncIterator[Answering]:
    """Run the upstream until the block ends."""
    upstream = Answering(answer)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", upstream.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield upstream
    finally:
        await runner.cleanup()
