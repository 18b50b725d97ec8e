"""Scans take turns: other work waits for one slice, however many bodies are scanned at once."""

import asyncio
import time

import pytest

from app.native.turns import PIECE_BYTES, SLICE_S, ScanTurn, ScanTurns


def slow(piece: bytes) -> list[int]:
    until = time.perf_counter() + SLICE_S / 2
    while time.perf_counter() < until:
        pass
    return [len(piece)]


async def test_a_scan_sees_all_bytes_in_order() -> None:
    data = bytes(range(256)) * 100
    seen = bytearray()

    def feed(piece: bytes) -> list[int]:
        seen.extend(piece)
        return [len(piece)]

    sizes = await ScanTurn(ScanTurns()).scan(feed, data)

    assert seen == data
    assert max(sizes) == PIECE_BYTES
    assert sum(sizes) == len(data)


async def test_other_work_runs_between_the_slices_of_many_scans() -> None:
    turns, scans, most_between = ScanTurns(), 8, 0
    pieces_done = 0

    def feed(piece: bytes) -> list[int]:
        nonlocal pieces_done
        pieces_done += 1
        return slow(piece)

    async def watch() -> None:
        nonlocal most_between
        last = pieces_done
        while True:
            await asyncio.sleep(0)
            most_between = max(most_between, pieces_done - last)
            last = pieces_done

    # Each scan begins without waiting: only what comes after its first slice is counted.
    running = [asyncio.create_task(ScanTurn(turns).scan(feed, b"x" * PIECE_BYTES * 20)) for _ in range(scans)]
    await asyncio.sleep(0)
    watching = asyncio.create_task(watch())
    await asyncio.gather(*running)
    watching.cancel()

    assert pieces_done == scans * 20
    assert most_between <= 3


async def test_a_short_scan_does_not_wait() -> None:
    turns = ScanTurns()

    async with turns._gate:
        assert await asyncio.wait_for(ScanTurn(turns).scan(lambda piece: [len(piece)], b"short"), 1) == [5]


async def test_a_scan_that_fails_lets_the_next_one_pass() -> None:
    def fail(piece: bytes) -> list[int]:
        slow(piece)
        if piece.startswith(b"!"):
            raise ValueError("bad piece")
        return []

    turns = ScanTurns()
    data = b"x" * PIECE_BYTES * 4 + b"!"

    with pytest.raises(ValueError, match="bad piece"):
        await ScanTurn(turns).scan(fail, data)
    assert len(await ScanTurn(turns).scan(slow, b"x" * PIECE_BYTES * 8)) == 8
