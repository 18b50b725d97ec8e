"""Waiting for what another process does, without deciding anything by time but that it never happens."""

import asyncio
from collections.abc import Callable


async def eventually(is_so: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait until something is so; fails when it is not within a time far beyond any that is meant."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await asyncio.to_thread(is_so):
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.05)
