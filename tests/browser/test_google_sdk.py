"""Google's JavaScript SDK in a page of another origin, with a client's key: upload, ask, stream, read an error."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.browser.chromium import dom
from tests.closed_gateway import closed_gateway
from tests.emulator_process import Emulator

PACKAGES = Path(__file__).parents[2] / "node_modules"
PAGE = """<!doctype html><title>frontend</title>
<script type="importmap">{"imports": {"@google/genai": "/genai.js", "p-retry": "/p-retry.js"}}</script>
<pre id="out">waiting</pre><script type="module">
import { GoogleGenAI, createPartFromUri } from "@google/genai";
const out = document.getElementById("out");
const seen = [];
try {
  const ai = new GoogleGenAI({ apiKey: "API_KEY", httpOptions: { baseUrl: "GATEWAY" } });
  const model = "gemini-2.0-flash";
  const blob = new Blob(["x".repeat(9 << 20)], { type: "text/plain" });
  const file = await ai.files.upload({ file: blob, config: { mimeType: "text/plain", displayName: "xs" } });
  seen.push(`uploaded ${file.sizeBytes} ${file.state}`);
  const part = createPartFromUri(file.uri, file.mimeType);
  const answer = await ai.models.generateContent({ model, contents: ["From a page", part] });
  seen.push(answer.text);
  let chunks = 0;
  for await (const chunk of await ai.models.generateContentStream({ model, contents: "word ".repeat(50) })) chunks += 1;
  seen.push(`${chunks > 1 ? "many" : chunks} chunks`);
  await ai.files.delete({ name: file.name });
  try {
    await ai.files.get({ name: file.name });
  } catch (error) {
    seen.push(`${error.name} ${error.status}`);
  }
} catch (error) {
  seen.push(`refused: ${error}`);
}
out.textContent = seen.join(String.fromCharCode(10));
</script>"""


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
async def frontend(pages: dict[str, str]) -> AsyncIterator[str]:
    """Serve the page that `pages` has under "page" once it is known, and the SDK beside it."""

    async def answer(request: web.Request) -> web.Response:
        match request.path:
            case "/genai.js":
                text = (PACKAGES / "@google/genai/dist/web/index.mjs").read_text()
            case "/p-retry.js":
                text = _module("p-retry/index.js", "retry/lib/retry_operation.js", "retry/lib/retry.js")
            case _:
                return web.Response(text=pages["page"], content_type="text/html")
        return web.Response(text=text, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def seen_by_a_page(emulator: Emulator, folder: Path, *, is_allowed: bool) -> str:
    pages: dict[str, str] = {}
    async with frontend(pages) as origin:
        allowed = (origin,) if is_allowed else ("https://app.example",)
        async with closed_gateway(emulator, folder, is_dev=False, cors_origins=allowed) as closed:
            key = await closed.key("page")
            pages["page"] = PAGE.replace("API_KEY", key).replace("GATEWAY", closed.gateway.url)
            return (await dom(origin)).partition('<pre id="out">')[2].partition("</pre>")[0]


async def test_the_sdk_works_in_a_page_of_an_allowed_origin(emulator: Emulator, tmp_path: Path) -> None:
    seen = (await seen_by_a_page(emulator, tmp_path, is_allowed=True)).splitlines()

    assert seen[0] == f"uploaded {9 << 20} ACTIVE"
    assert "prompt: From a page" in seen
    assert f"text/plain {9 << 20} bytes" in "\n".join(seen)
    assert seen[-2:] == ["many chunks", "ApiError 403"]


async def test_a_page_of_another_origin_reads_nothing(emulator: Emulator, tmp_path: Path) -> None:
    seen = await seen_by_a_page(emulator, tmp_path, is_allowed=False)

    assert seen.startswith("refused: ")
    assert "prompt" not in seen
