"""The usage of a request: the sum of its model calls, and the state of its client's limits."""

from collections import Counter
from dataclasses import dataclass

from app.clients.admission import NO_TICKET, RateTicket
from app.clients.identity import Client
from app.clients.rate_headers import NO_QUOTAS, Quotas
from app.gemini.answer import Usage

_NO_USAGE = Usage()


@dataclass(slots=True)
class RequestUsage:
    """The usage of one request so far, summed over its model calls. `client` pays for the usage.

    `ticket` holds the request's slots; `quotas` are the remaining amounts of the client's limits.
    """

    client: Client
    model: str | None = None
    outcome: str | None = None
    usage: Usage = _NO_USAGE
    cost: float | None = None
    ticket: RateTicket = NO_TICKET
    quotas: Quotas = NO_QUOTAS

    def add(self, model: str, outcome: str, usage: Usage, cost: float | None) -> None:
        """Add the usage of an answered model call."""
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
