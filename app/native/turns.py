"""Long scans take turns on the event loop, so that no request waits for another request's body.

A scan runs in slices of SLICE_S seconds. After each slice the scan queues at a gate of the process, which lets one scan
pass in each round of the event loop. So other work waits for one slice at most, however many bodies are being scanned.
"""

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TypeVar

PIECE_BYTES = 4 << 10
"""Bytes scanned between two looks at the clock: at most some 4,000 values, or a few milliseconds."""
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


class ScanTurn:
    """One scan's share of the event loop."""

    __slots__ = ("_spent_s", "_turns")

    def __init__(self, turns: ScanTurns) -> None:
        self._turns = turns
        self._spent_s = 0.0

    async def scan(self, feed: Callable[[bytes], Iterable[_Result]], data: bytes) -> list[_Result]:
        """Feed `data` to a scanner in pieces and return all results in order. Errors of `feed` pass through."""
        results: list[_Result] = []
        for start in range(0, len(data), PIECE_BYTES):
            if self._spent_s >= SLICE_S:
                await self._turns.wait()
                self._spent_s = 0.0
            began = perf_counter()
            results += feed(data[start : start + PIECE_BYTES])
            self._spent_s += perf_counter() - began
        return results
