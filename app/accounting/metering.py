"""What a request is allowed, what it used, and what is taken down of it: admission first, the ledger after all.

    enter ──(its body)──> estimate ──> admit ──> the model is asked ──> settle ──> RequestUsage ──(its end)──> ledger

A request has one meter, whatever number of model calls it makes. It knows no upstream of its own.
"""

import time
from types import TracebackType

from starlette.types import Scope

from app.accounting.estimating import CHARS_PER_TOKEN
from app.clients.admission import Admission, RateTicket
from app.clients.estimate import NOTHING, Estimate, Used
from app.clients.ledger import Entry, Ledger
from app.edge.access_log import Exchanged
from app.errors import Surface, UpstreamRefusedError, surface_of
from app.gemini.answer import Usage
from app.gemini.models import STANDARD, Models, Price
from app.request.context import context_of
from app.request.usage import RequestUsage
from app.store.ledger import Surface as LedgerSurface

CALLS_A_REQUEST = 10
"""So many of a listing's calls to Gemini count as one request: Gemini's own lists have ten objects a page."""


class Asked:
    """One model call that was admitted, and what came of it; whoever asks the model fills it in.

    `usage` and `outcome`, its finish reason, are set when it was answered. `is_refused` says that Gemini refused and no
    model has worked, `is_unmetered` that the answer is whole and does not tell its usage, `is_deferred` that what it
    costs is told later: its reservation, `call`, then stays until `Metering.settle_later`.
    """

    call: str = ""
    usage: Usage | None = None
    outcome: str = ""
    streamed_chars: int = 0
    is_refused: bool = False
    is_unmetered: bool = False
    is_deferred: bool = False


class Metering:
    """Admits model calls and books what they use; one for each gateway.

    `is_on` is false where there is nobody to tell apart and no limit to keep: an open gateway without limits.
    """

    def __init__(self, admission: Admission, models: Models, *, reserved_output_tokens: int, is_on: bool) -> None:
        self.is_on = is_on
        self.admission = admission
        self._models = models
        self._reserved_output_tokens = reserved_output_tokens

    async def enter(self, meter: RequestUsage) -> RateTicket:
        """Let a request in that may ask a model, before its body is read; whoever serves it leaves at its end.

        It counts against the client's rate, and holds a slot until then. Raises what `Admission.enter` does.
        """
        client = meter.client
        ticket = meter.ticket = self.admission.enter_at_once(client) or await self.admission.enter(client)
        meter.quotas = ticket.quotas
        return ticket

    async def enter_listing(self, usage: RequestUsage, calls: int) -> None:
        """Count a listing that makes calls to Gemini, before it makes them: one request for each `CALLS_A_REQUEST`.

        Raises what `Admission.enter_listing` raises.
        """
        if calls:
            usage.quotas = await self.admission.enter_listing(usage.client, -(-calls // CALLS_A_REQUEST))

    def admitted(
        self,
        meter: RequestUsage,
        model: str,
        input_tokens: int,
        max_output_tokens: int | None,
        *,
        tier: str = STANDARD,
    ) -> "Admitted":
        """Run an `async with` block that asks a model for what is estimated at `input_tokens`.

        What it used is booked whatever way the block ends: its usage, nothing when Gemini refused it, what was reserved
        when a whole answer says nothing of it, else the estimate of its input and what was streamed.
        `max_output_tokens` None stands for what is reserved for a call that sets none. Raises what `Admission.admit`
        does.
        """
        output = self._reserved_output_tokens if max_output_tokens is None else max_output_tokens
        price = self._models.price(model, tier)
        cost = None if price is None else price.estimate(input_tokens, output)
        estimate = Estimate(input_tokens, output, cost)
        return Admitted(self.admission, meter, model, estimate, price)

    def settle_later(self, meter: RequestUsage, call: str | None, model: str, usage: Usage, outcome: str) -> None:
        """Book what a call used whose cost is told only now; `call` is its reservation's id, None when it had none."""
        used = _book(meter, model, usage, outcome, self._models.price(model))
        if call:
            self.admission.settle_later(call, used)


def _book(meter: RequestUsage, model: str, usage: Usage, outcome: str, price: Price | None) -> Used:
    """Add an answer to a meter; gives what it used."""
    cost = None if price is None else price.cost(usage)
    meter.add(model, outcome, usage, cost)
    return Used(usage.input_tokens, usage.output_tokens + usage.thinking_tokens, cost)


class Admitted(Asked):
    """A block in which a model is asked within the client's limits; `Metering.admitted` makes it.

    A plain class, since every call goes through it, and a generator would cost more than what it does.
    """

    def __init__(
        self,
        admission: Admission,
        meter: RequestUsage,
        model: str,
        estimate: Estimate,
        price: Price | None,
    ) -> None:
        self._admission = admission
        self._meter = meter
        self._model = model
        self._estimate = estimate
        self._price = price

    async def __aenter__(self) -> Asked:
        meter = self._meter
        self._reservation = await self._admission.admit(meter.client, self._estimate, meter.ticket)
        meter.quotas = self._reservation.quotas
        self.call = self._reservation.call
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        estimate, usage = self._estimate, self.usage
        used: Used | None = None
        if usage is not None:
            used = _book(self._meter, self._model, usage, self.outcome, self._price)
        elif self.is_refused or isinstance(error, UpstreamRefusedError):
            used = NOTHING
        elif self.is_unmetered:
            used = Used(estimate.input_tokens, estimate.output_tokens, estimate.cost)
            usage = Usage(input_tokens=estimate.input_tokens, output_tokens=estimate.output_tokens)
            self._meter.add(self._model, "ok", usage, estimate.cost)
        if self.is_deferred:
            self._reservation.leave()
        else:
            self._reservation.settle(used, streamed_tokens=self.streamed_chars // CHARS_PER_TOKEN)


def entry_of(scope: Scope, exchanged: Exchanged) -> Entry | None:
    """Give what the ledger has of a request that has ended; None for those that are no calls of a client's."""
    operation, context = operation_of(scope), context_of(scope)
    meter = context.usage
    if operation is None or meter is None:
        return None
    usage = meter.usage
    # By position, since this is done for every call.
    return Entry(
        time.time() - exchanged.total_ms / 1000,
        meter.client.id,
        meter.client.name,
        _ledger_surface(surface_of(scope["path"])),
        operation,
        context.problem or meter.outcome or "ok",
        exchanged.status,
        exchanged.total_ms,
        exchanged.first_byte_ms,
        meter.model,
        usage.input_tokens,
        usage.output_tokens,
        usage.thinking_tokens,
        usage.cached_tokens,
        usage.input_by_modality,
        exchanged.bytes_in,
        exchanged.bytes_out,
        meter.cost,
    )


def _ledger_surface(surface: Surface) -> LedgerSurface:
    if surface is Surface.REST:
        return "rest"
    return "openai" if surface is Surface.OPENAI else "native"


def operation_of(scope: Scope) -> str | None:
    """Name the operation of a request that may cost something; None for any other."""
    operation = context_of(scope).target.operation
    if operation is None:
        return None
    if scope.get("method", "WEBSOCKET") in {"POST", "PUT", "WEBSOCKET"}:
        return operation.operation_id
    # What an earlier call has cost may be told by a later one that only looks.
    meter = context_of(scope).usage
    return None if meter is None or meter.model is None else operation.operation_id


def record(ledger: Ledger, scope: Scope, exchanged: Exchanged) -> None:
    """Take down a request that has ended."""
    entry = entry_of(scope, exchanged)
    if entry is not None:
        ledger.record(entry)
