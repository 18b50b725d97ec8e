"""The ledger's row of a request."""

from dataclasses import replace
from typing import Any

import pytest

from app.accounting.ledger_entry import entry_of
from app.clients.identity import Client
from app.edge.access_log import Exchanged
from app.gemini.answer import Usage
from app.request.context import RequestContext
from app.request.operation import ANY_CLIENT, UNKNOWN, Operation, Target
from app.request.usage import Booking, RequestUsage
from app.store.ledger_records import LedgerOutcome

CLIENT = Client("cli_1", "web")
ENDED = Exchanged(200, 1_500.0, 900.0, 10, 20)


def target(operation_id: str = "generate") -> Target:
    return Target(Operation(operation_id, "/any", ANY_CLIENT), ANY_CLIENT, is_rest=True)


def scope(context: RequestContext | None = None, **more: Any) -> dict[str, Any]:
    made = {"type": "http", "method": "POST", "path": "/api/v1/generate", **more}
    (context or RequestContext(target=target(), usage=RequestUsage(CLIENT))).place(made)
    return made


def test_the_calls_of_a_request_are_summed() -> None:
    used = RequestUsage(CLIENT)
    used.add("m", LedgerOutcome.TRUNCATED, Booking(Usage(10, 2, input_by_modality={"text": 10}), 500_000_000))
    used.add("m", LedgerOutcome.OK, Booking(Usage(12, 3, input_by_modality={"text": 2, "audio": 10}), 250_000_000))

    entry = entry_of(scope(RequestContext(target=target(), usage=used)), ENDED)

    assert entry is not None
    assert (entry.client_id, entry.operation, entry.outcome) == ("cli_1", "generate", "ok")
    assert (entry.input_tokens, entry.output_tokens, entry.cost_usd) == (22, 5, 0.75)
    assert entry.input_by_modality == {"text": 12, "audio": 10}
    assert (entry.total_ms, entry.first_byte_ms, entry.bytes_in, entry.bytes_out) == (1_500.0, 900.0, 10, 20)


@pytest.mark.parametrize("costs", [(1, None), (None, 1), (None, None)])
def test_one_call_without_a_price_makes_the_cost_of_the_request_unknown(costs: tuple[int | None, ...]) -> None:
    used = RequestUsage(CLIENT)
    for cost in costs:
        used.add("m", LedgerOutcome.OK, Booking(Usage(1, 1), cost))

    assert used.cost is None


def test_a_problem_is_the_outcome_of_a_request_without_a_call() -> None:
    context = RequestContext(target=target(), usage=RequestUsage(CLIENT), problem="rate-limited")

    entry = entry_of(scope(context), replace(ENDED, status=429))

    assert entry is not None
    assert (entry.outcome, entry.status, entry.cost_usd) == ("refused", 429, None)


@pytest.mark.parametrize(("method", "aim"), [("GET", target()), ("POST", UNKNOWN)])
def test_a_request_that_costs_nothing_has_no_ledger_row(method: str, aim: Target) -> None:
    context = RequestContext(target=aim, usage=RequestUsage(CLIENT))

    assert entry_of(scope(context, method=method), ENDED) is None


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/api/v1/generate", "rest"),
        ("/v1beta/models/m:generateContent", "native"),
        ("/upload/v1beta/files", "native"),
        ("/v1beta/openai/audio/transcriptions", "openai"),
    ],
)
def test_the_surface_is_that_of_the_path(path: str, surface: str) -> None:
    entry = entry_of(scope(path=path), ENDED)

    assert entry is not None
    assert entry.surface == surface


def test_a_request_without_a_client_is_no_call() -> None:
    assert entry_of(scope(RequestContext(target=target())), ENDED) is None
