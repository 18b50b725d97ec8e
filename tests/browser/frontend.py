"""A frontend of its own origin: pages with Google's JavaScript SDK, which report their results to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.browser.chromium import opened

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "node_modules"
PROGRAM = ROOT / "tests/contract/js/program.mjs"
MEDIA = ROOT / "tests/media"
SEEN_WITHIN_S = 100
PAGE = """<!doctype html><title>frontend</title>
<script type="importmap">{"imports": {"@google/genai": "/genai.js", "p-retry": "/p-retry.js"}}</script>
<script type="module">
import { GoogleGenAI } from "@google/genai";
import { program } from "/program.mjs";
const bytes = async (name) => (await fetch(`/media/${name}`)).arrayBuffer();
let seen;
try {
  const ai = new GoogleGenAI({ apiKey: API_KEY, httpOptions: { baseUrl: BASE_URL } });
  const pdf = new Blob([await bytes("report.pdf")], { type: "application/pdf" });
  const png = btoa(String.fromCharCode(...new Uint8Array(await bytes("shapes.png"))));
  seen = await program(ai, { pdf, png });
} catch (error) {
  seen = { refused: String(error) };
}
await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
</script>"""


@dataclass(slots=True)
class Frontend:
    """The frontend's address, and the reports of its pages."""

    origin: str = ""
    page: str = ""
    seen: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)

    async def seen_with(self, base_url: str, key: str) -> Any:
        """Open a page that runs the program with an API's base URL and a key; return the page's report."""
        self.page = PAGE.replace("API_KEY", json.dumps(key)).replace("BASE_URL", json.dumps(base_url))
        async with opened(self.origin), asyncio.timeout(SEEN_WITHIN_S):
            return await self.seen.get()


def _module(name: str, *needed: str) -> str:
    """Wrap a package that was written for Node into a module that a browser loads."""
    files = [PACKAGES / each for each in (*needed, name)]
    packed = "".join(
        f"modules[{str(file.relative_to(PACKAGES))!r}] = (module, exports, require) => {{{file.read_text()}}};\n"
        for file in files
    )
    return (
        f"const modules = {{}};\n{packed}"
        "const names = {retry: 'retry/lib/retry.js', './retry_operation': 'retry/lib/retry_operation.js'};\n"
        "function load(name) { const module = {exports: {}};"
        " modules[names[name] ?? name](module, module.exports, load); return module.exports; }\n"
        f"export default load({name!r});"
    )


@asynccontextmanager
async def frontend() -> AsyncIterator[Frontend]:
    """Serve a page, the SDK beside it, and the media that it sends."""
    here = Frontend()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            here.seen.put_nowait(await request.json())
            return web.Response()
        match request.path:
            case "/genai.js":
                text = (PACKAGES / "@google/genai/dist/web/index.mjs").read_text()
            case "/p-retry.js":
                text = _module("p-retry/index.js", "retry/lib/retry_operation.js", "retry/lib/retry.js")
            case "/program.mjs":
                text = PROGRAM.read_text()
            case "/media/report.pdf" | "/media/shapes.png":
                return web.FileResponse(MEDIA / Path(request.path).name)
            case _:
                return web.Response(text=here.page, content_type="text/html")
        return web.Response(text=text, content_type="text/javascript")

    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield here
    finally:
        await runner.cleanup()
