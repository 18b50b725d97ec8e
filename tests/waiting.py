"""Waits for an event in another process; time decides only that the event never happens."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(is_so: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait until something is so; fails when it is not within a time far beyond any that is meant."""
    await eventually_is(lambda: asyncio.to_thread(is_so), within_s=within_s)


async def eventually_is(is_so: Callable[[], Awaitable[bool]], *, within_s: float = 15.0) -> None:
    """Wait like `eventually`, for a condition that must be checked on the loop."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await is_so():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.05)
