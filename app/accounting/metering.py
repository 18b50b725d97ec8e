"""What a request is allowed, what it used, and what is taken down of it: admission first, the ledger after all.

    enter ──(its body)──> estimate ──> admit ──> the model is asked ──> settle ──> Meter ──(the answer left)──> ledger

A request has one meter, whatever number of model calls it makes. It knows no upstream of its own.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from starlette.types import Scope

from app.accounting.estimating import CHARS_PER_TOKEN
from app.clients.admission import NO_ENTRANCE, Admission, Entrance
from app.clients.estimate import NOTHING, Estimate, Used
from app.clients.identity import LOCAL, Client
from app.clients.ledger import Entry, Ledger
from app.clients.rate_headers import Quota
from app.edge.access_log import Exchanged
from app.errors import (
    FileNotReadyError,
    RateLimitedError,
    RejectedByModelError,
    Surface,
    UnknownModelError,
    UpstreamCredentialsError,
    UpstreamQuotaError,
    UpstreamUnavailableError,
    surface_of,
)
from app.gemini.answer import Answer, Usage
from app.gemini.models import STANDARD, Models
from app.store.ledger import Surface as LedgerSurface

SURFACES: Mapping[Surface, LedgerSurface] = {
    Surface.REST: "rest",
    Surface.GOOGLE: "native",
    Surface.INTERACTIONS: "native",
    Surface.OPENAI: "openai",
}
"""How the ledger names them."""
FREE = (
    FileNotReadyError,
    RateLimitedError,
    RejectedByModelError,
    UnknownModelError,
    UpstreamCredentialsError,
    UpstreamQuotaError,
    UpstreamUnavailableError,
)
"""Gemini's refusals: no model has worked."""


NO_USAGE = Usage()


@dataclass(slots=True)
class Meter:
    """What one request has used so far."""

    client: Client = LOCAL
    model: str | None = None
    outcome: str | None = None
    usage: Usage = NO_USAGE
    cost: float | None = None
    entrance: Entrance = NO_ENTRANCE
    quotas: tuple[Quota, ...] = ()

    def add(self, model: str, outcome: str, usage: Usage, cost: float | None) -> None:
        """Add one model call that was answered."""
        is_first = self.model is None
        self.model, self.outcome = model, outcome
        if is_first:
            self.usage, self.cost = usage, cost
            return
        self.cost = None if cost is None or self.cost is None else self.cost + cost
        before = self.usage
        self.usage = Usage(
            input_tokens=before.input_tokens + usage.input_tokens,
            output_tokens=before.output_tokens + usage.output_tokens,
            thinking_tokens=before.thinking_tokens + usage.thinking_tokens,
            cached_tokens=before.cached_tokens + usage.cached_tokens,
            total_tokens=before.total_tokens + usage.total_tokens,
            input_by_modality=dict(Counter(before.input_by_modality) + Counter(usage.input_by_modality)),
        )


@dataclass(slots=True)
class Asked:
    """One model call that was admitted, and what came of it; whoever asks the model fills it in.

    `answer` is set when it was answered with its usage. `is_refused` says that Gemini refused without any model's work,
    `is_unmetered` that the answer is whole and does not tell its usage, `is_deferred` that what it costs is told later:
    its reservation, `call`, then stays until `Metering.settle_later`.
    """

    call: str = ""
    answer: Answer | None = None
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

    def entered(self, meter: Meter) -> "Entered":
        """Run an `async with` block that serves a request which may ask a model; its body is read within.

        It counts against the client's rate, and holds a slot until the block ends. Raises what `Admission.enter` does.
        """
        return Entered(self.admission, meter)

    def admitted(
        self, meter: Meter, model: str, input_tokens: int, max_output_tokens: int | None, *, tier: str = STANDARD
    ) -> "Admitted":
        """Run an `async with` block that asks a model for what is estimated at `input_tokens`.

        What it used is booked whatever way the block ends: its usage, nothing when Gemini refused it, what was reserved
        when a whole answer says nothing of it, else the estimate of its input and what was streamed.
        `max_output_tokens` None stands for what is reserved for a call that sets none. Raises what `Admission.admit`
        does.
        """
        output = self._reserved_output_tokens if max_output_tokens is None else max_output_tokens
        cost = self._models.cost(model, Usage(input_tokens=input_tokens, output_tokens=output), tier=tier)
        return Admitted(self, meter, model, Estimate(input_tokens, output, cost), tier)

    def book(self, meter: Meter, model: str, answer: Answer, tier: str) -> Used:
        """Add an answer to a meter; gives what it used."""
        usage = answer.usage
        cost = self._models.cost(model, usage, tier=tier)
        meter.add(model, answer.finish_reason, usage, cost)
        return Used(usage.input_tokens, usage.output_tokens + usage.thinking_tokens, cost)

    def settle_later(self, meter: Meter, call: str | None, model: str, answer: Answer) -> None:
        """Book what a call used whose cost is told only now; `call` is its reservation's id, None when it had none."""
        used = self.book(meter, model, answer, STANDARD)
        if call:
            self.admission.settle_later(call, used)


class Entered:
    """A block in which a request is served; `Metering.entered` makes it. A plain class for the sake of its cost."""

    __slots__ = ("_admission", "_meter")

    def __init__(self, admission: Admission, meter: Meter) -> None:
        self._admission = admission
        self._meter = meter

    async def __aenter__(self) -> None:
        meter = self._meter
        meter.entrance = await self._admission.enter(meter.client)
        meter.quotas = meter.entrance.quotas

    async def __aexit__(self, *_: object) -> None:
        self._meter.entrance.leave()


class Admitted:
    """A block in which a model is asked within the client's limits; `Metering.admitted` makes it.

    A plain class, since every call goes through it, and a generator would cost more than what it does.
    """

    __slots__ = ("_asked", "_estimate", "_meter", "_metering", "_model", "_reservation", "_tier")

    def __init__(self, metering: Metering, meter: Meter, model: str, estimate: Estimate, tier: str) -> None:
        self._metering = metering
        self._meter = meter
        self._model = model
        self._estimate = estimate
        self._tier = tier

    async def __aenter__(self) -> Asked:
        meter = self._meter
        self._reservation = await self._metering.admission.admit(meter.client, self._estimate, meter.entrance)
        meter.quotas = self._reservation.quotas
        self._asked = Asked(self._reservation.call)
        return self._asked

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asked, estimate = self._asked, self._estimate
        used: Used | None = None
        if asked.answer is not None:
            used = self._metering.book(self._meter, self._model, asked.answer, self._tier)
        elif asked.is_refused or isinstance(error, FREE):
            used = NOTHING
        elif asked.is_unmetered:
            used = Used(estimate.input_tokens, estimate.output_tokens, estimate.cost)
            usage = Usage(input_tokens=estimate.input_tokens, output_tokens=estimate.output_tokens)
            self._meter.add(self._model, "ok", usage, estimate.cost)
        if asked.is_deferred:
            self._reservation.leave()
        else:
            self._reservation.settle(used, streamed_tokens=asked.streamed_chars // CHARS_PER_TOKEN)


def entry_of(scope: Scope, exchanged: Exchanged) -> Entry | None:
    """Give what the ledger has of a request that has ended; None for those that are no calls of a client's."""
    operation = operation_of(scope)
    if operation is None:
        return None
    meter: Meter = scope.get("gateway.meter") or Meter(scope.get("gateway.client", LOCAL))
    usage = meter.usage
    return Entry(
        at=time.time() - exchanged.total_ms / 1000,
        client_id=meter.client.id,
        client_name=meter.client.name,
        surface=SURFACES[surface_of(scope["path"])],
        operation=operation,
        outcome=scope.get("gateway.problem") or meter.outcome or "ok",
        status=exchanged.status,
        total_ms=exchanged.total_ms,
        first_byte_ms=exchanged.first_byte_ms,
        model=meter.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        cached_tokens=usage.cached_tokens,
        input_by_modality={name: count for name, count in usage.input_by_modality.items() if count},
        bytes_in=exchanged.bytes_in,
        bytes_out=exchanged.bytes_out,
        cost_usd=meter.cost,
    )


def operation_of(scope: Scope) -> str | None:
    """Name the operation of a request that may cost something; None for any other."""
    route = scope.get("route")
    operation: str | None = getattr(route, "operation_id", None)
    if operation is None and route is not None and "/openai/audio/" in scope["path"]:
        operation = f"openai.{scope['path'].rpartition('/')[2]}"
    if scope.get("method", "WEBSOCKET") in {"POST", "PUT", "WEBSOCKET"}:
        return operation
    # What an earlier call has cost may be told by a later one that only looks.
    meter: Meter | None = scope.get("gateway.meter")
    return None if meter is None or meter.model is None else operation


def record(ledger: Ledger, scope: Scope, exchanged: Exchanged) -> None:
    """Take down a request that has ended."""
    entry = entry_of(scope, exchanged)
    if entry is not None:
        ledger.record(entry)
