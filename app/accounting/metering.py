"""Admission and settlement of model calls, for every surface alike.

    enter ──(body)──> Estimate ──> reserve ──> the model is asked ──> Outcome ──> settle ──> budget, RequestUsage
                                                                                                  └─(end)──> ledger

A call is booked once: the same booking goes to the budgets and to the usage of the request, from which its ledger row
is made (ledger_entry.py), so that the two can't disagree. This module knows no surface and no upstream.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from app.accounting.estimate import Estimate
from app.accounting.outcome import Outcome, OutcomeKind, booking_of, total_of
from app.clients.admission import Admission, RateTicket, Reservation
from app.clients.budgets import nanodollars
from app.gemini.answer import Usage
from app.gemini.models import STANDARD, Models, Price
from app.request.usage import Booking, RequestUsage
from app.store.budget_records import Amounts
from app.store.ledger_records import LedgerOutcome

# Makes the outcome of a call, from the error that ended its block.
OutcomeOf = Callable[[BaseException | None], Outcome]
# The calls of a listing to Gemini that count as one request: a page of Gemini's own lists has ten objects.
CALLS_A_REQUEST = 10


class ModelCall:
    """An admitted model call, which holds its estimate until its settlement.

    Until then a better estimate may replace `estimate`, for a call that ends without usage. A deferred call is settled
    by its `reservation_id`, "" if the call holds no budget.
    """

    __slots__ = ("_is_settled", "_metering", "_model", "_price", "_reservation", "_usage", "estimate")

    def __init__(
        self,
        metering: "Metering",
        usage: RequestUsage,
        model: str,
        estimate: Estimate,
        price: Price | None,
        reservation: Reservation,
    ) -> None:
        self._metering = metering
        self._usage = usage
        self._model = model
        self.estimate = estimate
        self._price = price
        self._reservation = reservation
        self._is_settled = False

    @property
    def reservation_id(self) -> str:
        """Return the id of the reservation."""
        return self._reservation.id

    def settle(self, outcome: Outcome) -> None:
        """Book the call; neither waits nor fails, and only the first outcome counts."""
        if self._is_settled:
            return
        self._is_settled = True
        price = self._price if outcome.tier is None else self._metering.price(self._model, outcome.tier) or self._price
        booking = booking_of(outcome, self.estimate, price)
        self._usage.add(self._model, outcome.word, booking)
        if outcome.kind is not OutcomeKind.DEFERRED:
            self._reservation.settle(booking.amounts)


def _unpriced(model: str, estimate: Estimate, price: Price | None) -> str | None:
    """Return the part of a call that has no price, None if all of the call has one."""
    if price is None:
        return f"Model {model[:100]!r}"
    if price.tier != estimate.tier:
        return f"Service tier {estimate.tier!r} of {model}"
    # Gemini bills these tools by their own searches, whose number is not known before the call.
    return f"Tool {min(estimate.paid_tools)!r}" if estimate.paid_tools else None


class Metering:
    """Admits and settles the model calls of a gateway.

    `is_on` is false for an open gateway without limits, which neither limits nor records.
    """

    def __init__(self, admission: Admission, models: Models, *, reserved_output_tokens: int, is_on: bool) -> None:
        self.is_on = is_on
        self.admission = admission
        self._models = models
        self._reserved_output_tokens = reserved_output_tokens

    async def enter(self, usage: RequestUsage) -> RateTicket:
        """Let a request in that may ask a model, before its body is read; the caller releases the ticket at its end.

        The request counts against the client's rate, and holds a slot. Raises as `Admission.enter` does.
        """
        client = usage.client
        ticket = usage.ticket = self.admission.enter_at_once(client) or await self.admission.enter(client)
        usage.quotas = ticket.quotas
        return ticket

    async def enter_listing(self, usage: RequestUsage, calls: int) -> None:
        """Count a listing that makes calls to Gemini, before it makes them: one request for each `CALLS_A_REQUEST`.

        Raises as `Admission.enter_listing` does.
        """
        if calls:
            usage.quotas = await self.admission.enter_listing(usage.client, -(-calls // CALLS_A_REQUEST))

    def price(self, model: str, tier: str) -> Price | None:
        """Return the price of a model in a service tier today, None if it has none."""
        return self._models.price(model, tier)

    async def reserve(
        self, usage: RequestUsage, model: str, estimate: Estimate, *, may_be_deferred: bool = False
    ) -> ModelCall:
        """Admit a call of a model, and hold its estimate until its settlement by the caller.

        The reservation of a call that may be deferred lasts for days without its process. Raises as `Admission.admit`
        does.
        """
        price = self.price(model, estimate.tier)
        reservation = Reservation()
        if self.is_on:
            amounts, unpriced = self._amounts_of(estimate, price), _unpriced(model, estimate, price)
            reservation = await self.admission.admit(
                usage.client,
                amounts,
                usage.ticket,
                unpriced=unpriced,
                may_be_deferred=may_be_deferred,
            )
            usage.quotas = reservation.quotas
        return ModelCall(self, usage, model, estimate, price, reservation)

    def _amounts_of(self, estimate: Estimate, price: Price | None) -> Amounts:
        output = self._reserved_output_tokens if estimate.max_output_tokens is None else estimate.max_output_tokens
        cost = 0 if price is None else nanodollars(price.estimate(estimate.input_tokens, output))
        return Amounts(estimate.input_tokens + output, cost)

    @asynccontextmanager
    async def model_call(
        self,
        usage: RequestUsage,
        model: str,
        estimate: Estimate,
        outcome_of: OutcomeOf,
        *,
        may_be_deferred: bool = False,
    ) -> AsyncIterator[ModelCall]:
        """Run a block that asks a model, and settle the call by `outcome_of` on every ending. Raises as `reserve`."""
        call = await self.reserve(usage, model, estimate, may_be_deferred=may_be_deferred)
        try:
            yield call
        except BaseException as error:
            call.settle(outcome_of(error))
            raise
        call.settle(outcome_of(None))

    def settle_later(self, usage: RequestUsage, reservation_id: str, model: str, outcomes: Sequence[Outcome]) -> None:
        """Book a deferred call from the outcomes of its answers, each priced by its own length.

        Neither waits nor fails, and of a reservation only the first settlement counts. A call that holds no budget has
        the `reservation_id` "".
        """
        bookings = [
            booking_of(outcome, Estimate(0), self.price(model, outcome.tier or STANDARD)) for outcome in outcomes
        ]
        word = outcomes[-1].word if outcomes else LedgerOutcome.OK
        self._book_later(usage, reservation_id, model, word, total_of(bookings))

    async def settle_at_estimate(self, usage: RequestUsage, reservation_id: str, model: str) -> None:
        """Book a deferred call whose usage the gateway does not see at the amounts that it holds.

        Raises StoreUnavailableError.
        """
        held = await self.admission.reservations.held(reservation_id)
        if held is not None:
            booking = Booking(Usage(input_tokens=held.tokens, total_tokens=held.tokens), held.cost)
            self._book_later(usage, reservation_id, model, LedgerOutcome.OK, booking)

    def _book_later(
        self, usage: RequestUsage, reservation_id: str, model: str, word: LedgerOutcome, booking: Booking
    ) -> None:
        usage.add(model, word, booking)
        if reservation_id:
            self.admission.settle_deferred(reservation_id, booking.amounts)
