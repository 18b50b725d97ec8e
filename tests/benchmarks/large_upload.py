"""Large files: memory, disk and CPU of the server while a file passes through it, one and eight at a time."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

from tests.benchmarks.footprint import MIB
from tests.benchmarks.forms import GATEWAY_PATH, SERVICE_PATH, Request, form, picture, video
from tests.benchmarks.processes import Server, gateway, service, upstream
from tests.benchmarks.report import Check, Result
from tests.benchmarks.traffic import all_at_once, connections

GIB = 1 << 30
EIGHT_GROWTH_MIB = 160
ONE_GROWTH_MIB = 32
WRITTEN_MIB = 4
"""The registry's few pages and the log; a temporary file would be the size of the upload."""
SAMPLE_S = 0.05
COLUMNS = ("upload", "seconds", "memory growth MiB", "written to disk MiB", "temporary files MiB", "CPU s a GiB")


@dataclass(slots=True)
class Cost:
    """The server's cost of uploads; `growth_mib` is from before the uploads to the peak."""

    elapsed_s: float = 0.0
    growth_mib: float = 0.0
    written_mib: float = 0.0
    unnamed_mib: float = 0.0
    cpu_s_per_gib: float = 0.0

    def row(self, name: str) -> tuple[str, float, float, float, float, float]:
        """Return the table's row."""
        return (name, self.elapsed_s, self.growth_mib, self.written_mib, self.unnamed_mib, self.cpu_s_per_gib)


@asynccontextmanager
async def watched(server: Server, size_bytes: int) -> AsyncIterator[Cost]:
    """Measure the server while the block sends it `size_bytes`."""
    cost = Cost()
    process = server.process

    async def sample() -> None:
        while True:
            cost.unnamed_mib = max(cost.unnamed_mib, process.unnamed_files_mib())
            await asyncio.sleep(SAMPLE_S)

    process.reset_peak()
    began_at, rss, cpu_s, written = perf_counter(), process.rss_mib(), process.cpu_s(), process.written_mib()
    sampling = asyncio.create_task(sample())
    try:
        yield cost
    finally:
        sampling.cancel()
        await asyncio.wait((sampling,))
    cost.elapsed_s = perf_counter() - began_at
    cost.growth_mib = process.peak_mib() - rss
    cost.written_mib = process.written_mib() - written
    cost.cpu_s_per_gib = (process.cpu_s() - cpu_s) / (size_bytes / GIB)


async def send_all(server: Server, requests: Sequence[Request], *, rate: float | None = None) -> None:
    """Send the requests at the same time, each on a connection of its own, each at most `rate` bytes a second."""
    async with connections(server.port, len(requests)) as pool, asyncio.TaskGroup() as group:
        for connection, request in zip(pool, requests, strict=True):
            group.create_task(connection.send(request.pieces(), rate=rate))


def uploads(path: str, size_bytes: int, count: int = 1) -> list[Request]:
    """Build requests whose files differ, each with its size said before it."""
    return [form(path, video(size_bytes, number=number), {"file_size": str(size_bytes)}) for number in range(count)]


async def _cost(server: Server, path: str, size_bytes: int, count: int = 1) -> Cost:
    async with watched(server, size_bytes * count) as cost:
        await send_all(server, uploads(path, size_bytes, count))
    return cost


async def warm_up(server: Server, path: str) -> None:
    """Warm the server up by small calls and one upload, so that its imports and connections are done."""
    async with connections(server.port, 8) as pool:
        await all_at_once(pool, form(path, picture(26)).whole(), times=5)
    await send_all(server, uploads(path, 32 * MIB))


def _checks(one: Cost, eight: Cost) -> Iterator[Check]:
    yield Check("one upload: memory growth, MiB", one.growth_mib, ONE_GROWTH_MIB)
    yield Check("eight at once: memory growth, MiB", eight.growth_mib, EIGHT_GROWTH_MIB)
    yield Check("one upload: written to disk, MiB", one.written_mib, WRITTEN_MIB)
    yield Check("one upload: temporary files, MiB", one.unnamed_mib, 0)


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Send a large file, eight at once, and one to the plain service."""
    large, each, plain_size = (256 * MIB, 64 * MIB, 256 * MIB) if is_quick else (2 * GIB, 256 * MIB, GIB)
    with upstream() as gemini:
        with gateway(gemini) as server:
            await warm_up(server, GATEWAY_PATH)
            one = await _cost(server, GATEWAY_PATH, large)
            eight = await _cost(server, GATEWAY_PATH, each, 8)
        with service("plain", gemini) as server:
            await warm_up(server, SERVICE_PATH)
            plain = await _cost(server, SERVICE_PATH, plain_size)
    rows = [
        one.row(f"gateway, {large // MIB} MiB"),
        eight.row(f"gateway, 8 x {each // MIB} MiB"),
        plain.row(f"plain, {plain_size // MIB} MiB"),
    ]
    yield Result("Large uploads, as fast as they go", COLUMNS, rows, list(_checks(one, eight)))
