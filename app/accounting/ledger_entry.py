"""The ledger's row of a request that has ended."""

import time

from starlette.types import Scope

from app.accounting.outcome import dollars, word_of_request
from app.clients.ledger import Ledger
from app.edge.access_log import Exchanged
from app.errors import Surface, surface_of
from app.request.context import context_of
from app.store.ledger_records import Entry, LedgerSurface


def entry_of(scope: Scope, exchanged: Exchanged) -> Entry | None:
    """Return the ledger's row of a request that has ended; None if the request is no client's, or costs nothing."""
    operation, context = operation_of(scope), context_of(scope)
    used = context.usage
    if operation is None or used is None:
        return None
    usage = used.usage
    outcome = word_of_request(
        used.outcome, code=context.problem, status=exchanged.status, is_shutdown=exchanged.is_shutdown
    )
    return Entry(
        at=time.time() - exchanged.total_ms / 1000,
        client_id=used.client.id,
        client_name=used.client.name,
        surface=_ledger_surface(surface_of(scope["path"])),
        operation=operation,
        outcome=outcome,
        status=exchanged.status,
        total_ms=exchanged.total_ms,
        first_byte_ms=exchanged.first_byte_ms,
        model=used.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        cached_tokens=usage.cached_tokens,
        input_by_modality=usage.input_by_modality,
        bytes_in=exchanged.bytes_in,
        bytes_out=exchanged.bytes_out,
        cost_usd=dollars(used.cost),
    )


def _ledger_surface(surface: Surface) -> LedgerSurface:
    if surface is Surface.REST:
        return "rest"
    return "openai" if surface is Surface.OPENAI else "native"


def operation_of(scope: Scope) -> str | None:
    """Return the name of the operation of a request that may cost something; None for other requests."""
    operation = context_of(scope).target.operation
    if operation is None:
        return None
    if scope.get("method", "WEBSOCKET") in {"POST", "PUT", "WEBSOCKET"}:
        return operation.operation_id
    # A GET may show the usage of an earlier call, which is booked then.
    used = context_of(scope).usage
    return None if used is None or used.model is None else operation.operation_id


def record(ledger: Ledger, scope: Scope, exchanged: Exchanged) -> None:
    """Record a request that has ended."""
    entry = entry_of(scope, exchanged)
    if entry is not None:
        ledger.record(entry)
