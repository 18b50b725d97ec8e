"""Streamed answers: CPU a chunk, and how long 64 clients at once wait for their first one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.forms import GATEWAY_PATH, SERVICE_PATH, form, native
from tests.benchmarks.processes import BenchmarkError, Server, gateway_beside
from tests.benchmarks.report import Check, Result
from tests.benchmarks.traffic import all_at_once, connections
from tests.benchmarks.upstream import WORD

STREAMS = 64
CHUNKS = 100
LEAST_RATIO = 2.0
SERVICES = ("plain", "bare-relay")
COLUMNS = ("64 streams of 100 chunks", "CPU us a chunk", "x less than plain", "first chunk, ms added")


@dataclass(slots=True)
class Figures:
    """One server's rounds."""

    server: Server
    ask: bytes
    cpu_us: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)


def _figures(servers: list[Server], model: str) -> list[Figures]:
    fields = {"model": model, "stream": "true"}
    relayed = native("streamGenerateContent?alt=sse", None, model=model)
    asks = {
        "gateway": form(GATEWAY_PATH, None, fields),
        "plain": form(SERVICE_PATH, None, fields),
        "bare-relay": relayed,
        "upstream": relayed,
    }
    return [Figures(server, asks[server.name].whole()) for server in servers]


async def _round(figures: Figures) -> None:
    process = figures.server.process
    async with connections(figures.server.port, STREAMS) as pool:
        cpu_s = process.cpu_s()
        load = await all_at_once(pool, figures.ask, mark=WORD.encode())
        cpu_s = process.cpu_s() - cpu_s
    if any(answer.body.count(WORD.encode()) < CHUNKS for answer in load.answers):
        raise BenchmarkError(f"{figures.server.name} lost chunks")
    figures.cpu_us.append(cpu_s / (STREAMS * CHUNKS) * 1e6)
    figures.first_ms.append(median(answer.first_s for answer in load.answers) * 1000)


def _result(title: str, direct: Figures, measured: list[Figures]) -> Result:
    plain, base_ms = median(measured[1].cpu_us), median(direct.first_ms)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        (
            figures.server.name,
            median(figures.cpu_us),
            plain / median(figures.cpu_us),
            median(figures.first_ms) - base_ms,
        )
        for figures in measured
    ]
    ratio = plain / median(measured[0].cpu_us)
    check = Check("CPU a chunk, times less than the plain service's", ratio, LEAST_RATIO, True)
    return Result(f"Streams: {title}", COLUMNS, rows, [check])


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure chunks that come one by one, 10 ms apart, and chunks that come all at once."""
    with gateway_beside(*SERVICES) as (gemini, servers):
        for title, manner in (("chunks 10 ms apart", "paced"), ("all chunks at once", "burst")):
            measured = _figures(servers, f"{manner}-{CHUNKS}")
            direct = _figures([gemini], f"{manner}-{CHUNKS}")[0]
            for figures in measured:
                async with connections(figures.server.port, STREAMS) as pool:
                    await all_at_once(pool, figures.ask)
            for _ in range(2 if is_quick else 5):
                for figures in (*measured, direct):
                    await _round(figures)
            yield _result(title, direct, measured)
