"""Media that goes inline: CPU a call and memory growth, eight at a time, of 1 MB and of 15 MB."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.forms import GATEWAY_PATH, SERVICE_PATH, form, native, video
from tests.benchmarks.processes import Server, gateway_beside
from tests.benchmarks.report import Check, Result
from tests.benchmarks.traffic import all_at_once, connections

AT_ONCE = 8
LEAST_RATIO = 2.0
SERVICES = ("plain", "fastapi-relay", "bare-relay")
COLUMNS = ("eight at once", "CPU ms a call", "x less than plain", "calls/s", "memory growth MiB")
SMALL = ("1 MB", 1_000_000)
LARGE = ("15 MB", 14_900_000)
"""What still fits the limit of 20,000,000 bytes of request, encoded."""


@dataclass(slots=True)
class Figures:
    """One server's rounds; `growth_mib` is the greatest of them."""

    server: Server
    ask: bytes
    cpu_ms: list[float] = field(default_factory=list)
    calls_per_s: list[float] = field(default_factory=list)
    growth_mib: float = 0.0


async def _round(figures: Figures, times: int) -> None:
    process = figures.server.process
    async with connections(figures.server.port, AT_ONCE) as pool:
        process.reset_peak()
        rss, cpu_s = process.rss_mib(), process.cpu_s()
        load = await all_at_once(pool, figures.ask, times=times)
        figures.cpu_ms.append((process.cpu_s() - cpu_s) / load.calls * 1000)
        figures.calls_per_s.append(load.calls / load.elapsed_s)
        figures.growth_mib = max(figures.growth_mib, process.peak_mib() - rss)


def _figures(servers: list[Server], size_bytes: int) -> list[Figures]:
    media = video(size_bytes)
    asks = {
        "gateway": form(GATEWAY_PATH, media),
        "plain": form(SERVICE_PATH, media),
        "fastapi-relay": form(SERVICE_PATH, media),
        "bare-relay": native("generateContent", media),
    }
    return [Figures(server, asks[server.name].whole()) for server in servers]


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure each size in interleaved rounds."""
    with gateway_beside(*SERVICES) as (_, servers):
        for (name, size_bytes), times in ((SMALL, 20), (LARGE, 2)):
            measured = _figures(servers, size_bytes)
            for figures in measured:
                async with connections(figures.server.port, 2) as pool:
                    await all_at_once(pool, figures.ask)
            for _ in range(1 if is_quick else 3):
                for figures in measured:
                    await _round(figures, times)
            yield _result(name, measured)


def _result(name: str, measured: list[Figures]) -> Result:
    plain = median(measured[1].cpu_ms)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        (
            figures.server.name,
            median(figures.cpu_ms),
            plain / median(figures.cpu_ms),
            median(figures.calls_per_s),
            figures.growth_mib,
        )
        for figures in measured
    ]
    ratio = plain / median(measured[0].cpu_ms)
    check = Check("CPU a call, times less than the plain service's", ratio, LEAST_RATIO, True)
    return Result(f"Inline media: {name}", COLUMNS, rows, [check])
