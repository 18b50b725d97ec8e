"""The usage of a request: the sum of its model calls' bookings, and the state of its client's limits."""

from dataclasses import dataclass

from app.clients.admission import NO_TICKET, RateTicket
from app.clients.identity import Client
from app.clients.rate_headers import NO_QUOTAS, Quotas
from app.gemini.answer import Usage
from app.store.budget_records import Amounts
from app.store.ledger_records import LedgerOutcome

_NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Booking:
    """The amounts of one call, for budget and ledger alike: its usage, and billionths of a US dollar.

    `cost` is None if the model has no price.
    """

    usage: Usage
    cost: int | None

    @property
    def amounts(self) -> Amounts:
        """Return the amounts that budgets count: input, output and thoughts, and the cost."""
        usage = self.usage
        return Amounts(usage.input_tokens + usage.output_tokens + usage.thinking_tokens, self.cost or 0)


@dataclass(slots=True)
class RequestUsage:
    """The usage of one request so far, summed over its model calls.

    `client` pays for the usage. `outcome` is the word of the last call; `cost` is in billionths of a US
    dollar, None without calls, or if any call has no price. `ticket` holds the request's slots, `quotas` are the rest
    of the client's limits.
    """

    client: Client
    model: str | None = None
    outcome: LedgerOutcome | None = None
    usage: Usage = _NO_USAGE
    cost: int | None = None
    ticket: RateTicket = NO_TICKET
    quotas: Quotas = NO_QUOTAS

    def add(self, model: str, outcome: LedgerOutcome, booking: Booking) -> None:
        """Add a model call that has ended."""
        is_first = self.model is None
        self.model, self.outcome = model, outcome
        self.usage += booking.usage
        is_priced = booking.cost is not None and (is_first or self.cost is not None)
        self.cost = (self.cost or 0) + (booking.cost or 0) if is_priced else None
