"""`gemini-gateway keys usage`: the usage of all clients, as a table, JSON or CSV."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.command import cli
from app.store.database import open_database
from app.store.ledger import LedgerTable
from app.store.ledger_records import Entry
from tests.stores import database_url, store_environment

NOW = datetime.now(UTC).timestamp()
DAY = 86_400.0
CALL = Entry(
    at=NOW - 60,
    client_id="cli_1",
    client_name="web",
    surface="rest",
    operation="generate",
    outcome="stop",
    status=200,
    total_ms=800,
    model="gemini-3.8-flash",
    input_tokens=1_000,
    output_tokens=100,
    cost_usd=0.25,
)
CALLS = (
    CALL,
    replace(CALL, at=NOW - 2 * DAY),
    replace(CALL, at=NOW - 10 * DAY),
    replace(CALL, client_id="cli_2", client_name="phone", model="\x1b[31m", status=503, cost_usd=None),
)
Run = Callable[..., Result]


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    for name, value in store_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    async with open_database(database_url(tmp_path)) as database:
        table = LedgerTable(database)
        await table.add([table.row("test", number, entry) for number, entry in enumerate(CALLS)])
    return lambda *arguments: CliRunner().invoke(cli, ["keys", "usage", *arguments])


def test_it_shows_each_client(run: Run) -> None:
    result = run("--since", "7d")

    assert result.exit_code == 0
    period, *lines = result.output.splitlines()
    assert period.startswith("From ")
    assert lines == [
        "Client  Id     Calls  Failed  Unpriced  Input  Output  Thinking  Cached  Cost in $",
        "web     cli_1      2       0         0  2,000     200         0       0     0.5000",
        "phone   cli_2      1       1         1  1,000     100         0       0          -",
    ]


def test_json_is_for_programs(run: Run) -> None:
    told = json.loads(run("--since", "20d", "--json").output)

    assert told["has_more"] is False
    assert told["until"] > told["since"]
    assert [(row["client"], row["client_name"], row["calls"]) for row in told["data"]] == [
        ("cli_1", "web", 3),
        ("cli_2", "phone", 1),
    ]
    assert told["data"][0]["input_by_modality"]["text"] == 0


def test_csv_is_for_spreadsheets(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--since", "20d", "--by", "operation", "--csv").output)))

    assert [(row["operation"], row["calls"]) for row in rows] == [("generate", "4")]


def test_days_come_newest_first(run: Run) -> None:
    told = json.loads(run("--by", "day", "--json").output)

    days = [row["day"] for row in told["data"]]
    assert days == sorted(days, reverse=True)
    assert len(days) == 3


def test_a_model_that_a_client_named_does_not_steer_the_terminal(run: Run) -> None:
    output = run("--by", "model").output

    assert "\x1b" not in output
    assert "?[31m" in output


def test_a_period_may_be_two_dates(run: Run) -> None:
    assert (
        "No calls from 2020-01-01T00:00:00Z to 2020-02-01T00:00:00Z."
        in run("--since", "2020-01-01", "--until", "2020-02-01T00:00:00Z").output
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "soon"),
        ("--since", "0m"),
        ("--until", "7w"),
        ("--since", "2026-02-30"),
        ("--json", "--csv"),
        ("--by", "colour"),
    ],
)
def test_wrong_usage_is_said(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("since", ["999999d", "0001-01-01T00:00:00+14:00"])
def test_a_time_before_all_calls_is_taken(run: Run, since: str) -> None:
    assert run("--since", since, "--until", "9999-12-31T23:59:59-14:00").exit_code == 0


def test_a_database_that_is_away_is_said_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://me:hidden@127.0.0.1:1/x")
    monkeypatch.setenv("SECRET_KEY", "a-secret-that-is-long-enough-to-be-one")

    result = run()

    assert result.exit_code == 1
    assert "the database cannot be read" in result.output
    assert "hidden" not in result.output
