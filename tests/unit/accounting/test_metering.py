"""What is taken down of a call."""

from dataclasses import replace
from typing import Any

import pytest

from app.accounting.metering import entry_of
from app.clients.identity import Client
from app.edge.access_log import Exchanged
from app.gemini.answer import Usage
from app.request.context import RequestContext
from app.request.operation import ANY_CLIENT, UNKNOWN, Operation, Target
from app.request.usage import RequestUsage

CLIENT = Client("cli_1", "web")
ENDED = Exchanged(200, 1_500.0, 900.0, 10, 20)


def target(operation_id: str = "generate") -> Target:
    return Target(Operation(operation_id, "/any", ANY_CLIENT), ANY_CLIENT, is_rest=True)


def scope(context: RequestContext | None = None, **more: Any) -> dict[str, Any]:
    made = {"type": "http", "method": "POST", "path": "/api/v1/generate", **more}
    (context or RequestContext(target=target(), usage=RequestUsage(CLIENT))).place(made)
    return made


def test_a_calls_answers_are_summed() -> None:
    meter = RequestUsage(CLIENT)
    meter.add("m", "max_tokens", Usage(10, 2, input_by_modality={"text": 10}), 0.5)
    meter.add("m", "stop", Usage(12, 3, input_by_modality={"text": 2, "audio": 10}), 0.25)

    entry = entry_of(scope(RequestContext(target=target(), usage=meter)), ENDED)

    assert entry is not None
    assert (entry.client_id, entry.operation, entry.outcome) == ("cli_1", "generate", "stop")
    assert (entry.input_tokens, entry.output_tokens, entry.cost_usd) == (22, 5, 0.75)
    assert entry.input_by_modality == {"text": 12, "audio": 10}
    assert (entry.total_ms, entry.first_byte_ms, entry.bytes_in, entry.bytes_out) == (1_500.0, 900.0, 10, 20)


def test_a_price_that_is_not_known_makes_the_sum_unknown() -> None:
    meter = RequestUsage(CLIENT)
    meter.add("m", "stop", Usage(1, 1), 0.5)
    meter.add("m", "stop", Usage(1, 1), None)

    assert meter.cost is None


def test_a_failed_calls_outcome_names_the_failure() -> None:
    entry = entry_of(
        scope(RequestContext(target=target(), usage=RequestUsage(CLIENT), problem="rate-limited")),
        replace(ENDED, status=429),
    )

    assert entry is not None
    assert (entry.outcome, entry.status) == ("rate-limited", 429)


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
