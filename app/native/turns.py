"""Long scans take turns on the event loop, so that no request waits for another one's body.

A scan runs in slices of SLICE_S. After each slice it queues at one gate for the whole process, and the gate lets one
scan pass in each round of the event loop: however many bodies are scanned at once, other work waits for one slice.
"""

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TypeVar

PIECE_BYTES = 4 << 10
"""Bytes that are scanned without a look at the clock: at most some 4,000 values, or a few milliseconds."""
SLICE_S = 0.005
_Result = TypeVar("_Result")


class ScanTurns:
    """The gate of all scans of a process."""

    def __init__(self) -> None:
        self._gate = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until this scan may run its next slice."""
        async with self._gate:
            await asyncio.sleep(0)


class Turn:
    """One scan's share of the event loop."""

    __slots__ = ("_spent_s", "_turns")

    def __init__(self, turns: ScanTurns) -> None:
        self._turns = turns
        self._spent_s = 0.0

    async def scan(self, feed: Callable[[bytes], Iterable[_Result]], data: bytes) -> list[_Result]:
        """Feed `data` to a scanner in pieces; returns all results in order. Raises what `feed` raises."""
        results: list[_Result] = []
        for start in range(0, len(data), PIECE_BYTES):
            if self._spent_s >= SLICE_S:
                await self._turns.wait()
                self._spent_s = 0.0
            began = perf_counter()
            results += feed(data[start : start + PIECE_BYTES])
            self._spent_s += perf_counter() - began
        return results
