"""Headless Chromium by its command line: what a page says once its scripts have run, and how it looks."""

import asyncio
import tempfile
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


async def _run(url: str, *flags: str) -> str:
    with tempfile.TemporaryDirectory() as profile:
        process = await asyncio.create_subprocess_exec(
            "chromium",
            *FLAGS,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=20000",
            *flags,
            url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 90)
    return out.decode()


async def dom(url: str) -> str:
    """Give the page's document once it has settled."""
    return await _run(url, "--dump-dom")


async def screenshot(url: str, path: Path) -> None:
    """Draw the page into a PNG file."""
    await _run(url, f"--screenshot={path}")
