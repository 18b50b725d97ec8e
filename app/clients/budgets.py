"""Budgets: limits in tokens and money of a day or month, and in bytes of a day. Days and months are UTC's.

This module turns limits into budgets and budgets into the values of the RateLimit fields. It knows no HTTP and no
rates, and books nothing.
"""

import calendar
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from app.clients.limit_owners import LimitOwner
from app.clients.rate_headers import QuotaPolicies, QuotaPolicy
from app.store.budget_records import Budget, BudgetState

DAY_S = 86_400
NANO = 1_000_000_000
NANO_IN_MICRO = 1_000
MOST = 10**18
"""The highest limit that is kept, in a column's own unit."""
MOST_AT_ONCE = 10**15
"""The largest amount to book for a call: a column has room for thousands of such amounts."""


def bounded(amount: int) -> int:
    """Return an amount, which a caller or a model may have stated wrongly, clamped to 0 and MOST_AT_ONCE."""
    return amount if 0 <= amount <= MOST_AT_ONCE else min(max(amount, 0), MOST_AT_ONCE)


def nanodollars(dollars: float) -> int:
    """Return US dollars in whole billionths, rounded up."""
    if 0.0 <= dollars <= MOST / NANO:
        return math.ceil(dollars * NANO)
    return 0 if dollars < 0.0 else MOST


@lru_cache(maxsize=4)
def _periods(day: int) -> tuple[tuple[str, float, float], tuple[str, float, float]]:
    date = datetime.fromtimestamp(day * DAY_S, UTC)
    first = day - date.day + 1
    beyond = first + calendar.monthrange(date.year, date.month)[1]
    return (f"{date:%Y-%m-%d}", day * DAY_S, (day + 1) * DAY_S), (f"{date:%Y-%m}", first * DAY_S, beyond * DAY_S)


def _at_most(limit: int | None) -> int | None:
    return None if limit is None else min(limit, MOST)


def budgets_of(owners: Sequence[LimitOwner], now: float) -> tuple[tuple[LimitOwner, Budget], ...]:
    """Return the budgets that hold for a call now, with their owners, in the order in which their rows are locked."""
    day, month = _periods(int(now // DAY_S))
    found = []
    for owner in owners:
        limits = owner.limits
        tokens = _at_most(limits.tokens_per_month)
        cost = None if limits.cost_per_month is None else nanodollars(limits.cost_per_month)
        if tokens is not None or cost is not None:
            found.append((owner, Budget(owner.key, *month, tokens=tokens, cost=cost)))
        tokens, count = _at_most(limits.tokens_per_day), _at_most(limits.bytes_per_day)
        cost = None if limits.cost_per_day is None else nanodollars(limits.cost_per_day)
        if tokens is not None or cost is not None or count is not None:
            found.append((owner, Budget(owner.key, *day, tokens=tokens, cost=cost, bytes=count)))
    return tuple(found)


def is_day(budget: Budget) -> bool:
    """Return whether a budget is a day's, and not a month's."""
    return budget.ends_at - budget.starts_at <= DAY_S


@lru_cache(maxsize=1_024)
def policies_of(budget: Budget) -> QuotaPolicies:
    """Return a budget's limits for the RateLimit-Policy field; money is in millionths of a US dollar."""
    name = "day" if is_day(budget) else "month"
    window_s = int(budget.ends_at - budget.starts_at)
    found = []
    if budget.tokens is not None:
        found.append(QuotaPolicy(f"tokens-{name}", budget.tokens, "tokens", window_s))
    if budget.cost is not None:
        found.append(QuotaPolicy(f"cost-{name}", budget.cost // NANO_IN_MICRO, "micro-usd", window_s))
    if budget.bytes is not None:
        found.append(QuotaPolicy(f"bytes-{name}", budget.bytes, "content-bytes", window_s))
    return QuotaPolicies(found)


def append_left(values: list[int], budget: Budget, state: BudgetState, now: float) -> None:
    """Append the rest of a budget: the numbers for the places of `policies_of`."""
    used, reserved = state
    resets_in_s = math.ceil(budget.ends_at - now)
    if budget.tokens is not None:
        values += (max(0, budget.tokens - used.tokens - reserved.tokens), resets_in_s)
    if budget.cost is not None:
        values += (max(0, (budget.cost - used.cost - reserved.cost) // NANO_IN_MICRO), resets_in_s)
    if budget.bytes is not None:
        values += (max(0, budget.bytes - used.bytes), resets_in_s)
