"""Headless Chromium by its command line: a page that stays open, its document once settled, its screenshot."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1600",
)


@asynccontextmanager
async def _started(url: str, *flags: str, stdout: int) -> AsyncIterator[asyncio.subprocess.Process]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            "chromium",
            *FLAGS,
            f"--user-data-dir={profile}",
            *flags,
            url,
            stdout=stdout,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _run(url: str, *flags: str) -> str:
    async with (
        _started(url, "--virtual-time-budget=20000", *flags, stdout=asyncio.subprocess.PIPE) as process,
        asyncio.timeout(90),
    ):
        out, _ = await process.communicate()
    return out.decode()


async def dom(url: str) -> str:
    """Return the page's document once it has settled."""
    return await _run(url, "--dump-dom")


async def screenshot(url: str, path: Path) -> None:
    """Draw the page into a PNG file."""
    await _run(url, f"--screenshot={path}")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """Keep a page open while the block runs, in real time."""
    async with _started(url, "--remote-debugging-port=0", stdout=asyncio.subprocess.DEVNULL):
        yield
