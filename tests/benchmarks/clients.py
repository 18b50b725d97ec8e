"""The cost of clients: small calls with a key, limits and the ledger, beside the same calls of an open gateway."""

from collections.abc import AsyncIterator
from statistics import median

from tests.benchmarks.forms import GATEWAY_PATH, form, with_header
from tests.benchmarks.processes import gateway, gateway_with_keys, upstream
from tests.benchmarks.report import Check, Result
from tests.benchmarks.small_calls import KINDS, STARTS, Figures, interleaved, keep, ratio

MOST = 1.6
COLUMNS = ("one worker", "calls/s at 64", "CPU ms a call", "x open's")
LIMITS = (
    "--requests-per-minute=100000000",
    "--tokens-per-minute=100000000000",
    "--tokens-per-day=100000000000",
    "--concurrent-requests=10000",
)


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure both in interleaved rounds, of several starts; medians of the rounds are given."""
    starts, rounds, duration_s = (1, 2, 1.0) if is_quick else (STARTS, 3, 1.5)
    kept: dict[str, list[Figures]] = {}
    for _ in range(starts):
        with upstream() as gemini, gateway(gemini) as opened, gateway_with_keys(gemini, *LIMITS) as (closed, key):
            for title, media in KINDS:
                ask = form(GATEWAY_PATH, media).whole()
                measured = [Figures(opened, ask), Figures(closed, with_header(ask, f"Authorization: Bearer {key}"))]
                await interleaved(measured, rounds=rounds, duration_s=duration_s)
                keep(kept, title, measured)
    for title, measured in kept.items():
        yield _result(f"Clients, limits and the ledger: {title}", measured)


def _result(title: str, measured: list[Figures]) -> Result:
    opened, closed = measured
    more = ratio(closed.cpu_ms, opened.cpu_ms)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        ("open", median(opened.calls_per_s), median(opened.cpu_ms), 1.0),
        ("with clients", median(closed.calls_per_s), median(closed.cpu_ms), more),
    ]
    return Result(title, COLUMNS, rows, [Check("CPU a call with clients, times the open gateway's", more, MOST)])
