"""What a request takes as it comes in, and what each model call of it takes, of every party whose limits hold for it.

A request takes of the rate of requests, and a slot; a model call, whose size is known only when the body has been read,
takes of the rate of tokens and of budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.clients.budgets import DAY_S, budgets_of, policies_of, tell_left
from app.clients.limits import WINDOW_S, Counter
from app.clients.parties import Party, Whose
from app.clients.rate_headers import Policies, Policy
from app.store.budget_records import Budget, Standing


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of limit that counters keep: its name in headers and in keys, how a sentence calls it, its unit there."""

    name: str
    phrase: str
    unit: str | None = None


REQUESTS = Kind("requests", "requests a minute")
TOKENS = Kind("tokens", "tokens a minute", "tokens")
SLOTS = Kind("concurrent-requests", "concurrent requests", "concurrent-requests")


class Source(NamedTuple):
    """Where a draw takes from: whose limit it is, and of what kind."""

    party: Party
    kind: Kind
    counter: Counter


def _sources(parties: Sequence[Party], kind: Kind, limit_of: str) -> list[Source]:
    found = []
    for party in parties:
        quota: int | None = getattr(party.limits, limit_of)
        if quota is None:
            continue
        found.append(Source(party, kind, Counter(f"{party.key}:{kind.name}", quota)))
    return found


def _policy(source: Source) -> Policy:
    kind = source.kind
    return Policy(kind.name, source.counter.quota, kind.unit, None if kind is SLOTS else WINDOW_S)


class Demand:
    """From where every request of a client, or every model call, takes; it is the same for the next one.

    `windows` and `slots` are what a draw takes from; `told` are those limits that are the client's own.
    """

    __slots__ = ("_own", "slots", "sources", "told", "windows")

    def __init__(self, windows: Sequence[Source], slots: Sequence[Source] = ()) -> None:
        self.sources = (*windows, *slots)
        self.windows = tuple(source.counter for source in windows)
        self.slots = tuple(source.counter for source in slots)
        own = [(index, each) for index, each in enumerate(self.sources) if each.party.whose is Whose.CLIENT]
        self._own = [(index, source.counter.quota, source.kind is not SLOTS) for index, source in own]
        self.told = (Policies([_policy(source) for _, source in own]),) if own else ()

    def tell(self, values: list[int], used: Sequence[int], taken_at: float) -> None:
        """Add how the client's own limits stand after a draw, by how the counters stand: the numbers for `told`."""
        resets_in_s = WINDOW_S - int(taken_at % WINDOW_S)
        for index, quota, has_window in self._own:
            left = quota - used[index]
            values.append(max(0, left))
            if has_window:
                values.append(resets_in_s)


class Allowance:
    """The budgets that hold for a client's calls on one day, in the order in which their rows are locked.

    `lines` pair each of `budgets` with its owner; `told` are the policies of the client's own budgets.
    """

    __slots__ = ("_own", "budgets", "is_in_money", "lines", "told")

    def __init__(self, lines: tuple[tuple[Party, Budget], ...]) -> None:
        self.lines = lines
        self.budgets = tuple(budget for _, budget in lines)
        self._own = [(index, line[1]) for index, line in enumerate(lines) if line[0].whose is Whose.CLIENT]
        self.told = tuple(policies_of(budget) for _, budget in self._own)
        self.is_in_money = any(budget.cost is not None for budget in self.budgets)

    def tell(self, values: list[int], standings: Sequence[Standing], now: float) -> None:
        """Append the remaining amounts of the client's own budgets: the numbers for `told`."""
        for index, budget in self._own:
            tell_left(values, budget, standings[index], now)


class Terms:
    """What parties' limits ask of a client's requests and model calls, worked out once.

    `of_request` and `of_call` are None where nothing is counted. `has_allowance` says whether any limit in tokens or
    money holds.
    """

    __slots__ = ("_allowance", "_day", "_parties", "has_allowance", "of_call", "of_request")

    def __init__(self, parties: tuple[Party, ...]) -> None:
        self._parties = parties
        requests = _sources(parties, REQUESTS, "requests_per_minute")
        slots = _sources(parties, SLOTS, "concurrent_requests")
        tokens = _sources(parties, TOKENS, "tokens_per_minute")
        self.of_request = Demand(requests, slots) if requests or slots else None
        self.of_call = Demand(tokens) if tokens else None
        self._day = -1.0
        self._allowance = Allowance(())
        self.has_allowance = any(map(_has_allowance, parties))

    def allowance(self, now: float) -> Allowance:
        """Give the budgets that hold for a call now."""
        day = now // DAY_S
        if day != self._day:
            self._day, self._allowance = day, Allowance(budgets_of(self._parties, now))
        return self._allowance


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
