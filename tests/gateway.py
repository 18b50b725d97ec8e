"""The real gateway on a real socket, in the tests' own loop, and how tests speak to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.edge.limits import EdgeLimits
from app.edge.server import make_server
from app.gemini.clock import GeminiClock
from app.gemini.credentials import ApiKey
from app.main import create_app
from app.settings import Settings
from tests.stores import store_settings

KEY = "the-secret-key"
MEDIA = Path(__file__).parent / "media"
TRUTH = json.loads((MEDIA / "truth.json").read_text())
REFUSED = {"empty.jpg", "program.jpg", "not-a-picture.png"}
GOOD_MEDIA = sorted(path.name for path in MEDIA.iterdir() if path.name not in REFUSED | {"README.md", "truth.json"})


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    port: int
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def generate(self, *parts: Any, **more: Any) -> httpx.Response:
        """Post a form to generate: each part a pair of a field's name and its text or file tuple."""
        return await self.post_form("/api/v1/generate", *parts, **more)

    async def post_form(self, path: str, *parts: Any, **more: Any) -> httpx.Response:
        """Post a form, its parts in the order given."""
        fields = [(name, value if isinstance(value, tuple) else (None, value)) for name, value in parts]
        return await self.client.post(path, files=fields, **more)

    async def events(self, *parts: Any) -> list[dict[str, Any]]:
        """Post a form to generate with stream=true and give the events."""
        answer = await self.generate(("stream", "true"), *parts)
        assert answer.status_code == 200, answer.text
        return read_events(answer.text)


def read_events(text: str) -> list[dict[str, Any]]:
    """Read a stream of events; each must be framed as the contract says."""
    events = []
    for frame in text.split("\n\n"):
        if not frame or frame.startswith(":"):
            continue
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def media(name: str, mime_type: str | None = None) -> tuple[str, bytes] | tuple[str, bytes, str]:
    """Return a media file as a part."""
    data = (MEDIA / name).read_bytes()
    return (name, data) if mime_type is None else (name, data, mime_type)


@asynccontextmanager
async def running_gateway(
    upstream: str,
    folder: Path,
    *,
    limits: EdgeLimits | None = None,
    is_dev: bool = True,
    key: ApiKey | None = None,
    clock: GeminiClock | None = None,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """Run a gateway until the block ends; its registry lies in `folder`."""
    chosen = Settings(
        **{
            "_env_file": None,
            "gemini_base_url": upstream,
            "client_auth": "none",
            **store_settings(folder),
            "shutdown_grace_s": 1,
            **settings,
        }
    )
    app = create_app(chosen, key or ApiKey(KEY), is_dev=is_dev, clock=clock)
    server = make_server(app, host="127.0.0.1", port=0, settings=chosen, limits=limits)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            yield Gateway(port, client)
    finally:
        server.should_exit = True
        await serving


__all__ = ["GOOD_MEDIA", "KEY", "MEDIA", "TRUTH", "Gateway", "media", "read_events", "running_gateway"]
