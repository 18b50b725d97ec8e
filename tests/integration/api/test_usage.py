"""`GET /usage`: the client's own usage, by day, model or operation."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.gemini.credentials import ApiKey
from app.main import create_api
from app.settings import Settings
from app.store.database import open_database
from app.store.ledger import LedgerTable
from app.store.ledger_records import Entry, UsageBy
from tests.emulator_process import Emulator
from tests.gateway import KEY, Gateway
from tests.stores import database_url, store_settings

USAGE = "/api/v1/usage"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
PERIOD = {"since": "2026-11-01", "until": "2026-12-01T00:00:00Z"}
CALL = Entry(
    at=NOON,
    client_id="local",
    client_name="local",
    surface="rest",
    operation="generate",
    outcome="stop",
    status=200,
    total_ms=800,
    model="gemini-3.8-flash",
    input_tokens=1_000,
    output_tokens=100,
    input_by_modality={"text": 10, "image": 990},
    bytes_in=5_000,
    bytes_out=600,
    cost_usd=0.25,
)
CALLS = (
    CALL,
    replace(CALL, at=NOON + DAY, operation="captionImage", model="=1+1", cost_usd=None),
    replace(CALL, at=NOON + DAY, operation="uploadFile", model=None, input_tokens=0, output_tokens=0, status=415),
    replace(CALL, client_id="another", input_tokens=77_777),
)


@pytest.fixture
async def used(gateway: Gateway, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_database(database_url(tmp_path)) as database:
        table = LedgerTable(database)
        await table.add([table.row("test", number, entry) for number, entry in enumerate(CALLS)])
        yield gateway


async def get(gateway: Gateway, **query: str) -> dict[str, Any]:
    answer = await gateway.client.get(USAGE, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_day_has_the_sums_of_the_clients_own_calls(used: Gateway) -> None:
    answer = await get(used, **PERIOD)

    assert [(row["day"], row["calls"]) for row in answer["data"]] == [("2026-11-21", 2), ("2026-11-20", 1)]
    assert answer["data"][1] == {
        "day": "2026-11-20",
        "model": None,
        "operation": None,
        "user": None,
        "calls": 1,
        "failed_calls": 0,
        "unpriced_calls": 0,
        "input_tokens": 1_000,
        "output_tokens": 100,
        "thinking_tokens": 0,
        "cached_tokens": 0,
        "input_by_modality": {"text": 10, "image": 990, "audio": 0, "video": 0, "document": 0},
        "bytes_in": 5_000,
        "bytes_out": 600,
        "estimated_cost_usd": 0.25,
    }
    assert (answer["since"], answer["until"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert answer["has_more"] is False


async def test_models_and_operations_have_sums_of_their_own(used: Gateway) -> None:
    models = await get(used, by="model", **PERIOD)
    operations = await get(used, by="operation", **PERIOD)

    assert [row["model"] for row in models["data"]] == ["=1+1", "gemini-3.8-flash", None]
    assert [(row["operation"], row["failed_calls"], row["unpriced_calls"]) for row in operations["data"]] == [
        ("captionImage", 0, 1),
        ("generate", 0, 0),
        ("uploadFile", 1, 0),
    ]


async def test_times_may_have_an_offset_and_until_is_not_in_the_period(used: Gateway) -> None:
    answer = await get(used, since="2026-11-20T13:00:00+01:00", until="2026-11-21T12:00:00Z")

    assert [row["day"] for row in answer["data"]] == ["2026-11-20"]


async def test_the_default_period_is_the_last_thirty_days(gateway: Gateway) -> None:
    answer = await get(gateway)

    since, until = (datetime.fromisoformat(answer[name]) for name in ("since", "until"))
    assert (until - since).total_seconds() == pytest.approx(30 * DAY)
    assert answer["data"] == []


async def test_accept_text_csv_returns_csv(used: Gateway) -> None:
    answer = await used.client.get(USAGE, params={**PERIOD, "by": "model"}, headers={"accept": "text/csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[0].startswith("model,calls,failed_calls,")
    assert [line.partition(",")[0] for line in answer.text.splitlines()[1:]] == ["'=1+1", "gemini-3.8-flash", ""]


async def test_waiting_ledger_rows_are_written_at_shutdown(emulator: Emulator, tmp_path: Path) -> None:
    stores: dict[str, Any] = {**store_settings(tmp_path)}
    settings = Settings(_env_file=None, gemini_base_url=emulator.url, ledger_flush_s=60, **stores)
    api = create_api(settings, ApiKey(KEY))
    async with api.router.lifespan_context(api):
        api.services.ledger.record(CALL)

    async with open_database(settings.database_url) as database:
        report = await LedgerTable(database).usage(client_id="local", since=0, until=9e9, by=UsageBy.DAY)

    assert [(found.key, found.calls) for found in report.sums] == [("2026-11-20", 1)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-13-01"}, "until"),
        ({"by": "client"}, "by"),
        ({"since": "2026-11-20", "until": "2026-11-20"}, "since"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "since"),
        ({"since": "1e400"}, "since"),
    ],
)
async def test_a_wrong_parameter_is_named(gateway: Gateway, query: dict[str, str], field: str) -> None:
    answer = await gateway.client.get(USAGE, params=query)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-field")
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+14:00", "0001-01-01", "1969-12-31T23:59:59Z", "-62135596800", "0"]
)
async def test_a_time_before_all_calls_is_a_period_from_the_beginning(used: Gateway, since: str) -> None:
    answer = await get(used, since=since, until="9999-12-31T23:59:59-14:00")

    assert sum(row["calls"] for row in answer["data"]) == 3


async def test_an_open_gateway_without_limits_keeps_no_ledger(gateway: Gateway, tmp_path: Path) -> None:
    assert (await gateway.generate(("prompt", "Hello"))).status_code == 200

    assert (await get(gateway))["data"] == []
