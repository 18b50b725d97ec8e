"""Google's own paths: small calls and uploads through the gateway, beside the smallest relay that aiohttp allows."""

from collections.abc import AsyncIterator
from statistics import median

from tests.benchmarks.forms import native, with_header
from tests.benchmarks.processes import gateway_with_keys, service, upstream
from tests.benchmarks.report import Check, Result
from tests.benchmarks.small_calls import KINDS, STARTS, Figures, interleaved, keep, ratio

MOST = 1.75
COLUMNS = ("one worker", "calls/s at 64", "CPU ms a call", "x bare's")


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure both in interleaved rounds of several starts, with a client's key, isolation and the ledger on."""
    starts, rounds, duration_s = (1, 3, 1.0) if is_quick else (STARTS, 3, 1.5)
    kept: dict[str, list[Figures]] = {}
    for _ in range(starts):
        with upstream() as gemini, service("bare-relay", gemini) as bare, gateway_with_keys(gemini) as (ours, key):
            for title, media in KINDS:
                ask = native("generateContent", media).whole()
                measured = [Figures(ours, with_header(ask, f"x-goog-api-key: {key}")), Figures(bare, ask)]
                await interleaved(measured, rounds=rounds, duration_s=duration_s)
                keep(kept, title, measured)
    for title, measured in kept.items():
        yield _result(f"Relayed calls: {title}", measured)


def _result(title: str, measured: list[Figures]) -> Result:
    ours, bare = measured
    more = ratio(ours.cpu_ms, bare.cpu_ms)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        ("gateway", median(ours.calls_per_s), median(ours.cpu_ms), more),
        ("bare relay", median(bare.calls_per_s), median(bare.cpu_ms), 1.0),
    ]
    return Result(title, COLUMNS, rows, [Check("CPU a call, times the bare relay's", more, MOST)])
