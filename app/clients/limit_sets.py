"""The limits that hold for a client's requests and for its model calls, worked out once for each client.

A request takes of the rate of requests, and a slot; a listing takes of that rate alone; a model call, whose size is
known only after its body has been read, takes of the rate of tokens and of budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.clients.budgets import DAY_S, append_left, budgets_of, policies_of
from app.clients.counters import WINDOW_S, Counter
from app.clients.limit_owners import LimitOwner, OwnerKind
from app.clients.rate_headers import QuotaPolicies, QuotaPolicy
from app.store.budget_records import Budget, BudgetState


@dataclass(frozen=True, slots=True)
class CounterKind:
    """A kind of counted limit: its name in headers and keys, its phrase in a sentence, its unit in headers."""

    name: str
    phrase: str
    unit: str | None = None


REQUESTS = CounterKind("requests", "requests a minute")
TOKENS = CounterKind("tokens", "tokens a minute", "tokens")
SLOTS = CounterKind("concurrent-requests", "concurrent requests", "concurrent-requests")


class CountedLimit(NamedTuple):
    """One limit that a counter holds."""

    owner: LimitOwner
    kind: CounterKind
    counter: Counter


def _counted(owners: Sequence[LimitOwner], kind: CounterKind, limit_name: str) -> list[CountedLimit]:
    found = []
    for owner in owners:
        quota: int | None = getattr(owner.limits, limit_name)
        if quota is None:
            continue
        found.append(CountedLimit(owner, kind, Counter(f"{owner.key}:{kind.name}", quota)))
    return found


def _policy(limit: CountedLimit) -> QuotaPolicy:
    kind = limit.kind
    return QuotaPolicy(kind.name, limit.counter.quota, kind.unit, None if kind is SLOTS else WINDOW_S)


class LimitSet:
    """The counted limits of every request of a client, or of every model call.

    `windows` and `slots` are the counters; `told` are the policies of the client's own limits.
    """

    __slots__ = ("_own", "limits", "slots", "told", "windows")

    def __init__(self, windows: Sequence[CountedLimit], slots: Sequence[CountedLimit] = ()) -> None:
        self.limits = (*windows, *slots)
        self.windows = tuple(limit.counter for limit in windows)
        self.slots = tuple(limit.counter for limit in slots)
        own = [(index, each) for index, each in enumerate(self.limits) if each.owner.kind is OwnerKind.CLIENT]
        self._own = [(index, limit.counter.quota, limit.kind is not SLOTS) for index, limit in own]
        self.told = (QuotaPolicies([_policy(limit) for _, limit in own]),) if own else ()

    def append_left(self, values: list[int], used: Sequence[int], taken_at: float) -> None:
        """Append the rest of the client's own limits, from the counts after a request: the numbers for `told`."""
        resets_in_s = WINDOW_S - int(taken_at % WINDOW_S)
        for index, quota, has_window in self._own:
            values.append(max(0, quota - used[index]))
            if has_window:
                values.append(resets_in_s)


class BudgetSet:
    """The budgets that hold for a client's calls on one day, in the order in which their rows are locked.

    `owned` pairs each of `budgets` with its owner; `told` are the policies of the client's own budgets.
    """

    __slots__ = ("_own", "budgets", "is_in_money", "owned", "told")

    def __init__(self, owned: tuple[tuple[LimitOwner, Budget], ...]) -> None:
        self.owned = owned
        self.budgets = tuple(budget for _, budget in owned)
        self._own = [(index, each[1]) for index, each in enumerate(owned) if each[0].kind is OwnerKind.CLIENT]
        self.told = tuple(policies_of(budget) for _, budget in self._own)
        self.is_in_money = any(budget.cost is not None for budget in self.budgets)

    def append_left(self, values: list[int], states: Sequence[BudgetState], now: float) -> None:
        """Append the rest of the client's own budgets: the numbers for `told`."""
        for index, budget in self._own:
            append_left(values, budget, states[index], now)


class ClientLimits:
    """All limits that hold for a client's requests and model calls.

    `of_request`, `of_listing` and `of_call` are None if no counted limit holds. `has_budgets` is whether any limit in
    tokens or money holds.
    """

    __slots__ = ("_budget_set", "_day", "_owners", "has_budgets", "of_call", "of_listing", "of_request")

    def __init__(self, owners: tuple[LimitOwner, ...]) -> None:
        self._owners = owners
        requests = _counted(owners, REQUESTS, "requests_per_minute")
        slots = _counted(owners, SLOTS, "concurrent_requests")
        tokens = _counted(owners, TOKENS, "tokens_per_minute")
        self.of_request = LimitSet(requests, slots) if requests or slots else None
        self.of_listing = LimitSet(requests) if requests else None
        self.of_call = LimitSet(tokens) if tokens else None
        self._day = -1.0
        self._budget_set = BudgetSet(())
        self.has_budgets = any(map(_has_budgets, owners))

    def budget_set(self, now: float) -> BudgetSet:
        """Return the budgets that hold for a call now."""
        day = now // DAY_S
        if day != self._day:
            self._day, self._budget_set = day, BudgetSet(budgets_of(self._owners, now))
        return self._budget_set


def _has_budgets(owner: LimitOwner) -> bool:
    limits = owner.limits
    budgets = (
        limits.tokens_per_minute,
        limits.tokens_per_day,
        limits.tokens_per_month,
        limits.cost_per_day,
        limits.cost_per_month,
    )
    return any(limit is not None for limit in budgets)
