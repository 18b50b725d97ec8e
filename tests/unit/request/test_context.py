"""The context of a request: one for each scope, and without a client until one was decided on."""

from typing import Any

import pytest

from app.clients.identity import Client
from app.errors import MalformedRequestError
from app.request.context import RequestContext, client_of, context_of, parsed_query, usage_of
from app.request.usage import RequestUsage


def test_a_scope_keeps_the_context_that_its_connection_has_placed() -> None:
    scope: dict[str, Any] = {"type": "http"}
    placed = RequestContext(request_id="req_1")

    placed.place(scope)

    assert context_of(scope) is placed
    assert len(scope) == 2


def test_a_scope_without_a_context_gets_one() -> None:
    scope: dict[str, Any] = {"type": "websocket"}

    assert context_of(scope) is context_of(scope)


def test_no_client_stands_in_for_a_client_that_was_not_decided_on() -> None:
    for read in (usage_of, client_of):
        with pytest.raises(LookupError):
            read({"type": "http"})


def test_the_client_is_that_of_the_usage() -> None:
    scope: dict[str, Any] = {}
    client = Client("cli_1", "web")
    context_of(scope).usage = RequestUsage(client)

    assert client_of(scope) is client


def test_arrivals_are_numbered_in_order() -> None:
    earlier, later = RequestContext(), RequestContext()

    assert earlier.arrival < later.arrival


def test_the_query_is_parsed_once() -> None:
    scope: dict[str, Any] = {"query_string": b"a=1"}

    assert parsed_query(scope) is parsed_query(scope)


def test_a_query_that_cannot_be_read_is_refused_each_time() -> None:
    scope: dict[str, Any] = {"query_string": b"a=%"}

    for _ in range(2):
        with pytest.raises(MalformedRequestError):
            parsed_query(scope)
