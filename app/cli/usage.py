"""The command `keys usage`: the usage of all clients, from the gateway's database."""

import asyncio
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from app.clients.usage_report import as_csv, record_of
from app.errors import StoreUnavailableError
from app.settings import Settings, read
from app.store.database import open_database
from app.store.ledger import LedgerTable
from app.store.ledger_records import UsageBy, UsageSum, UsageSums

_UNITS_S = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_HEADER = ("Calls", "Failed", "Unpriced", "Input", "Output", "Thinking", "Cached", "Cost in $")

Since = Annotated[
    str, typer.Option("--since", help="Start: a time ago (7d, 12h, 30m), or a date and time.", metavar="T")
]
Until = Annotated[str, typer.Option("--until", help="End, in the same notation; 0m is now.", metavar="T")]
By = Annotated[UsageBy, typer.Option("--by", help="The grouping of the sums.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def usage(
    since: Since = "30d",
    until: Until = "0m",
    by: By = UsageBy.CLIENT,
    *,
    json: AsJson = False,
    csv: AsCsv = False,
) -> None:
    """Show the usage of all clients. Days, and times without an offset, are in UTC."""
    if json and csv:
        raise typer.BadParameter("give one of them", param_hint="--json, --csv")
    now = time.time()
    start, end = _moment(since, now, "--since"), _moment(until, now, "--until")
    if start >= end:
        raise typer.BadParameter("must be before --until", param_hint="--since")
    try:
        report = asyncio.run(_read(read(Settings).database_url, start, end, by))
    except (StoreUnavailableError, OSError) as error:
        sys.stderr.write(f"gemini-gateway: DATABASE_URL: the database cannot be read: {error}\n")
        raise typer.Exit(1) from None
    if json:
        sys.stdout.buffer.write(_as_json(report, by, start, end))
    else:
        sys.stdout.write(as_csv(report, by) if csv else _as_table(report, by, start, end))


def _moment(text: str, now: float, option: str) -> float:
    if ago := _AGO.fullmatch(text):
        return max(now - int(ago[1]) * _UNITS_S[ago[2]], 0.0)
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return min(max(seconds, 0.0), _LATEST)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither like 7d nor like 2026-11-25", param_hint=option) from None


async def _read(url: str, since: float, until: float, by: UsageBy) -> UsageSums:
    async with open_database(url) as database:
        return await LedgerTable(database).usage(client_id=None, since=since, until=until, by=by)


def _told(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _as_json(report: UsageSums, by: UsageBy, since: float, until: float) -> bytes:
    told = {
        "data": [record_of(found, by) for found in report.sums],
        "has_more": report.has_more,
        "since": _told(since),
        "until": _told(until),
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def _as_table(report: UsageSums, by: UsageBy, since: float, until: float) -> str:
    period = f"{_told(since)} to {_told(until)}"
    if not report.sums:
        return f"No calls from {period}.\n"
    names = ("Client", "Id") if by is UsageBy.CLIENT else (by.capitalize(),)
    rows = [(*names, *_HEADER), *((*_names(found, by), *_figures(found)) for found in report.sums)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"From {period}", *(_line(row, widths, len(names)) for row in rows)]
    if report.has_more:
        lines.append(f"and more than these {len(report.sums)}; ask for a shorter time.")
    return "\n".join(lines) + "\n"


def _names(found: UsageSum, by: UsageBy) -> tuple[str, ...]:
    key = _printable(found.key or "-")
    return (_printable(found.name or "-"), key) if by is UsageBy.CLIENT else (key,)


def _printable(text: str) -> str:
    # A model's name, which clients choose, must not control the terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


def _figures(found: UsageSum) -> tuple[str, ...]:
    counts = (
        found.calls,
        found.failed_calls,
        found.unpriced_calls,
        found.input_tokens,
        found.output_tokens,
        found.thinking_tokens,
        found.cached_tokens,
    )
    cost = "-" if found.estimated_cost_usd is None else f"{found.estimated_cost_usd:,.4f}"
    return (*(f"{count:,}" for count in counts), cost)


def _line(row: Sequence[str], widths: Sequence[int], texts: int) -> str:
    cells = zip(row, widths, strict=True)
    padded = (cell.ljust(width) if at < texts else cell.rjust(width) for at, (cell, width) in enumerate(cells))
    return "  ".join(padded).rstrip()
