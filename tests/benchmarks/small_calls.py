"""Small calls: with a 2 KB picture, and with a prompt alone; 64 at a time, and one at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.forms import GATEWAY_PATH, SERVICE_PATH, Media, form, native, picture
from tests.benchmarks.processes import BenchmarkError, Server, gateway_beside
from tests.benchmarks.report import Check, Result
from tests.benchmarks.traffic import all_at_once, closed_loop, connections

IN_FLIGHT = 64
LEAST_RATIO = 4.0
EXPECTED = b"A small picture of noise."
KINDS = (("a prompt and a 2 KB picture", picture(26)), ("a prompt alone", None))
STARTS = 3
"""One start of the same process differs from the next by some hundredths: by where things come to lie in memory."""
SERVICES = ("plain", "fastapi-relay", "bare-relay")
COLUMNS = ("one worker", "calls/s at 64", "x plain", "CPU ms a call", "x less than plain", "alone, ms added")


@dataclass(slots=True)
class Figures:
    """One server's rounds of one kind of call; `ask` is the request that it takes."""

    server: Server
    ask: bytes
    calls_per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)

    def add(self, others: "Figures") -> None:
        """Add the rounds of the same server after a restart."""
        self.calls_per_s += others.calls_per_s
        self.cpu_ms += others.cpu_ms
        self.alone_ms += others.alone_ms


async def check(figures: Figures) -> None:
    """See that the right thing is answered."""
    async with connections(figures.server.port, 1) as pool:
        answer = await pool[0].call(figures.ask)
    if EXPECTED not in answer.body:
        raise BenchmarkError(f"{figures.server.name} answered something else: {answer.body[:500]!r}")


async def warm_up(figures: Figures) -> None:
    """Let the server get going."""
    async with connections(figures.server.port, IN_FLIGHT) as pool:
        await all_at_once(pool, figures.ask, times=5)


async def round_of(figures: Figures, *, duration_s: float, alone: int) -> None:
    """Measure for so many seconds with 64 calls at a time, then so many calls one after another."""
    process = figures.server.process
    async with connections(figures.server.port, IN_FLIGHT) as pool:
        cpu_s = process.cpu_s()
        load = await closed_loop(pool, figures.ask, duration_s=duration_s)
        cpu_s = process.cpu_s() - cpu_s
        figures.calls_per_s.append(load.calls / load.elapsed_s)
        figures.cpu_ms.append(cpu_s / load.calls * 1000)
    if not alone:
        return
    async with connections(figures.server.port, 1) as pool:
        load = await all_at_once(pool, figures.ask, times=alone)
        figures.alone_ms.append(median(answer.total_s for answer in load.answers) * 1000)


async def interleaved(measured: Sequence[Figures], *, rounds: int, duration_s: float, alone: int = 0) -> None:
    """See that all answer, and measure them in turns."""
    for figures in measured:
        await check(figures)
        await warm_up(figures)
    for _ in range(rounds):
        for figures in measured:
            await round_of(figures, duration_s=duration_s, alone=alone)


def keep(kept: dict[str, list[Figures]], title: str, measured: list[Figures]) -> None:
    """Add the results of one start to the results of earlier starts."""
    if title not in kept:
        kept[title] = measured
        return
    for before, figures in zip(kept[title], measured, strict=True):
        before.add(figures)


def ratio(over: list[float], under: list[float]) -> float:
    """Return the ratio of the two."""
    # Of the same round, so that what else the machine does meanwhile weighs on both.
    return median(above / below for above, below in zip(over, under, strict=True))


def _result(title: str, direct: Figures, measured: list[Figures]) -> Result:
    base_ms = median(direct.alone_ms)
    plain = measured[1]
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        (
            figures.server.name,
            median(figures.calls_per_s),
            ratio(figures.calls_per_s, plain.calls_per_s),
            median(figures.cpu_ms),
            ratio(plain.cpu_ms, figures.cpu_ms),
            median(figures.alone_ms) - base_ms,
        )
        for figures in measured
    ]
    more = ratio(measured[0].calls_per_s, plain.calls_per_s)
    return Result(title, COLUMNS, rows, [Check("calls a second, times the plain service's", more, LEAST_RATIO, True)])


def _asks(servers: list[Server], media: Media | None) -> list[Figures]:
    asks = {
        "gateway": form(GATEWAY_PATH, media),
        "plain": form(SERVICE_PATH, media),
        "fastapi-relay": form(SERVICE_PATH, media),
        "bare-relay": native("generateContent", media),
        "upstream": native("generateContent", media),
    }
    return [Figures(server, asks[server.name].whole()) for server in servers]


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure both kinds of call in interleaved rounds; medians of the rounds are given."""
    rounds, duration_s, alone = (2, 1.0, 100) if is_quick else (5, 1.5, 200)
    with gateway_beside(*SERVICES) as (gemini, servers):
        for title, media in KINDS:
            measured = _asks(servers, media)
            direct = _asks([gemini], media)[0]
            await interleaved([*measured, direct], rounds=rounds, duration_s=duration_s, alone=alone)
            yield _result(f"Small calls: {title}", direct, measured)
