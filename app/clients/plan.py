"""What a request takes as it comes in, and what each model call of it takes, of every party whose limits hold for it.

A request takes of the rate of requests, and a slot; a model call, whose size is known only when the body has been read,
takes of the rate of tokens and of budgets.
"""

from dataclasses import dataclass
from typing import NamedTuple

from app.clients.budgets import DAY_S, budgets_of
from app.clients.estimate import Estimate
from app.clients.limits import WINDOW_S, Draw, Take, Taken, window_left
from app.clients.parties import Party, Whose
from app.clients.rate_headers import Quota
from app.store.budget_records import Budget


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of limit that counters keep: its name in headers, how a sentence calls it, its unit there."""

    name: str
    phrase: str
    unit: str | None = None


REQUESTS = Kind("requests", "requests a minute")
TOKENS = Kind("tokens", "tokens a minute", "tokens")
SLOTS = Kind("concurrent-requests", "concurrent requests", "concurrent-requests")


class Plan(NamedTuple):
    """A draw on counters, and for each of its takes whose it is and of what kind."""

    draw: Draw
    sources: tuple[tuple[Party, Kind], ...]

    def settling(self, tokens: int) -> tuple[int, ...]:
        """Say by how much each window changes when the call has used so many tokens."""
        return tuple(tokens - take.amount for take in self.draw.windows)

    def undoing(self) -> tuple[int, ...]:
        """Say by how much each window changes when what was taken is not used after all."""
        return tuple(-take.amount for take in self.draw.windows)

    def ending(self) -> tuple[int, ...]:
        """Say by how much each window changes when a request ends: not at all."""
        return (0,) * len(self.draw.windows)

    def quotas(self, taken: Taken) -> list[Quota]:
        """Tell how the client's own limits stand."""
        found = []
        for (party, kind), take, used in zip(self.sources, self.draw.takes, taken.used, strict=True):
            if party.whose is Whose.CLIENT:
                left = take.quota - used
                if kind is SLOTS:
                    found.append(Quota(kind.name, take.quota, left, kind.unit))
                else:
                    resets_in_s = window_left(self.draw.taken_at)
                    found.append(Quota(kind.name, take.quota, left, kind.unit, WINDOW_S, resets_in_s))
        return found


class Terms:
    """What parties' limits ask of every call of theirs, worked out once: it is the same for the next call."""

    __slots__ = (
        "_budgets",
        "_day",
        "_requests",
        "_slots",
        "_sources",
        "_tokens",
        "_tokens_of",
        "has_allowance",
        "parties",
    )

    def __init__(self, parties: tuple[Party, ...]) -> None:
        self.parties = parties
        requests: list[Take] = []
        slots: list[Take] = []
        tokens: list[tuple[str, int]] = []
        of_requests: list[tuple[Party, Kind]] = []
        of_slots: list[tuple[Party, Kind]] = []
        of_tokens: list[tuple[Party, Kind]] = []
        for party in parties:
            limits = party.limits
            if limits.requests_per_minute is not None:
                requests.append(Take(f"{party.key}:requests", 1, limits.requests_per_minute))
                of_requests.append((party, REQUESTS))
            if limits.concurrent_requests is not None:
                slots.append(Take(f"{party.key}:slots", 1, limits.concurrent_requests))
                of_slots.append((party, SLOTS))
            if limits.tokens_per_minute is not None:
                tokens.append((f"{party.key}:tokens", limits.tokens_per_minute))
                of_tokens.append((party, TOKENS))
        self._requests = tuple(requests)
        self._slots = tuple(slots)
        self._sources = (*of_requests, *of_slots)
        self._tokens = tuple(tokens)
        self._tokens_of = tuple(of_tokens)
        self._day = -1
        self._budgets: tuple[tuple[Party, Budget], ...] = ()
        self.has_allowance = any(map(_has_allowance, parties))

    def of_request(self, *, request: str, now: float) -> Plan | None:
        """Plan what a request takes as it comes in, None for nothing; `request` is its id."""
        return Plan(Draw(request, now, self._requests, self._slots), self._sources) if self._sources else None

    def of_call(self, estimate: Estimate, *, call: str, now: float) -> Plan | None:
        """Plan what a model call takes from counters, None for nothing; `call` is its id."""
        if not self._tokens:
            return None
        windows = tuple([Take(key, estimate.tokens, quota) for key, quota in self._tokens])
        return Plan(Draw(call, now, windows, ()), self._tokens_of)

    def budgets(self, now: float) -> tuple[tuple[Party, Budget], ...]:
        """Give the budgets that hold for a call now and whose they are, in the order in which their rows are locked."""
        day = int(now // DAY_S)
        if day != self._day:
            self._day, self._budgets = day, budgets_of(self.parties, now)
        return self._budgets


def _has_allowance(party: Party) -> bool:
    limits = party.limits
    allowances = (
        limits.tokens_per_minute,
        limits.tokens_per_day,
        limits.tokens_per_month,
        limits.cost_per_day,
        limits.cost_per_month,
    )
    return any(limit is not None for limit in allowances)
