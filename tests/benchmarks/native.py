"""Google's own paths: small calls and uploads through the gateway, beside the smallest relay that aiohttp allows."""

from collections.abc import AsyncIterator
from statistics import median

from tests.benchmarks.forms import native, picture, with_header
from tests.benchmarks.processes import gateway_with_keys, service, upstream
from tests.benchmarks.report import Check, Result
from tests.benchmarks.small_calls import Figures, check, ratio, round_of, warm_up

MOST = 1.5
COLUMNS = ("one worker", "calls/s at 64", "CPU ms a call", "x bare's")


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure both in interleaved rounds, with a client's key, isolation and the ledger on."""
    rounds, duration_s = (3, 1.0) if is_quick else (7, 1.5)
    with upstream() as gemini, service("bare-relay", gemini) as bare, gateway_with_keys(gemini) as (ours, key):
        for title, media in (("a prompt and a 2 KB picture", picture(26)), ("a prompt alone", None)):
            ask = native("generateContent", media).whole()
            measured = [Figures(ours, with_header(ask, f"x-goog-api-key: {key}")), Figures(bare, ask)]
            for figures in measured:
                await check(figures)
                await warm_up(figures)
            for _ in range(rounds):
                for figures in measured:
                    await round_of(figures, duration_s=duration_s, alone=0)
            yield _result(f"Relayed calls: {title}", measured)


def _result(title: str, measured: list[Figures]) -> Result:
    ours, bare = measured
    more = ratio(ours.cpu_ms, bare.cpu_ms)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        ("gateway", median(ours.calls_per_s), median(ours.cpu_ms), more),
        ("bare relay", median(bare.calls_per_s), median(bare.cpu_ms), 1.0),
    ]
    return Result(title, COLUMNS, rows, [Check("CPU a call, times the bare relay's", more, MOST)])
