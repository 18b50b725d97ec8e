"""Pages in a real browser: the gateway's own pages as seen by a person, and the rights of a frontend's page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from PIL import Image

from tests.browser.chromium import dom, screenshot
from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway

FRONTEND = """<!doctype html><title>frontend</title><pre id="out">waiting</pre><script>
const form = new FormData();
form.append("prompt", "Hello from a page");
form.append("file", new Blob(["some text"], {type: "text/plain"}), "notes.txt");
const out = document.getElementById("out");
(async () => {
  try {
    const answer = await fetch("GATEWAY/api/v1/generate?STREAM", {method: "POST", body: form});
    const text = await answer.text();
    out.textContent = answer.status + " " + answer.headers.get("X-Request-Id") + " " + text;
  } catch (error) { out.textContent = "refused: " + error; }
})();
</script>"""


@asynccontextmanager
async def frontend(gateway: Gateway, query: str = "") -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        text = FRONTEND.replace("GATEWAY", gateway.url).replace("STREAM", query)
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_the_documentation_shows_every_operation(gateway: Gateway) -> None:
    page = await dom(f"{gateway.url}/docs")

    for path in ("/api/v1/generate", "/api/v1/chat", "/api/v1/files", "/api/v1/models", "/api/v1/count-tokens"):
        assert f'data-path="{path}"' in page


async def test_the_documentation_looks_like_a_page(gateway: Gateway, tmp_path: Path) -> None:
    shot = tmp_path / "docs.png"

    await screenshot(f"{gateway.url}/docs", shot)

    with Image.open(shot) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 50


async def test_a_page_of_an_allowed_origin_gets_its_answer(gateway: Gateway) -> None:
    async with frontend(gateway) as url:
        page = await dom(url)

    assert ">200 req_" in page
    assert "Hello from a page" in page


async def test_a_page_of_an_allowed_origin_gets_a_stream(gateway: Gateway) -> None:
    async with frontend(gateway, "stream=true") as url:
        page = await dom(url)

    assert "event: done" in page


async def test_a_page_of_another_origin_gets_nothing(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reset()
    async with running_gateway(emulator.url, tmp_path, is_dev=False) as gateway, frontend(gateway) as url:
        page = await dom(url)

    assert "refused: TypeError" in page
    assert emulator.requests("generateContent") == []


async def test_a_problem_has_a_page_for_a_person(gateway: Gateway) -> None:
    page = await dom(f"{gateway.url}/problems/empty-file")

    assert "The file is empty" in page
    assert "What to do:" in page
