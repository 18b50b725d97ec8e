"""Budgets: tokens and money of days and months, bytes of days, as limits say them and as clients are told of them.

It knows no HTTP and no rates, and books nothing; days and months are UTC's.
"""

import calendar
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from app.clients.parties import Party
from app.clients.rate_headers import Policies, Policy
from app.store.budget_records import Budget, Standing

DAY_S = 86_400
NANO = 1_000_000_000
NANO_IN_MICRO = 1_000
MOST = 10**18
"""The highest limit that is kept, in a column's own unit."""
MOST_AT_ONCE = 10**15
"""What one call is booked with at most, whatever it says: a column has room for thousands of those."""


def bounded(amount: int) -> int:
    """Keep an amount within what can be counted, whatever a caller or a model says."""
    return amount if 0 <= amount <= MOST_AT_ONCE else min(max(amount, 0), MOST_AT_ONCE)


def nanodollars(dollars: float) -> int:
    """Give US dollars in whole billionths, rounded up."""
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


def budgets_of(parties: Sequence[Party], now: float) -> tuple[tuple[Party, Budget], ...]:
    """Give the budgets that hold for a call now and whose they are, in the order in which their rows are locked."""
    day, month = _periods(int(now // DAY_S))
    found = []
    for party in parties:
        limits = party.limits
        tokens = _at_most(limits.tokens_per_month)
        cost = None if limits.cost_per_month is None else nanodollars(limits.cost_per_month)
        if tokens is not None or cost is not None:
            found.append((party, Budget(party.key, *month, tokens=tokens, cost=cost)))
        tokens, count = _at_most(limits.tokens_per_day), _at_most(limits.bytes_per_day)
        cost = None if limits.cost_per_day is None else nanodollars(limits.cost_per_day)
        if tokens is not None or cost is not None or count is not None:
            found.append((party, Budget(party.key, *day, tokens=tokens, cost=cost, bytes=count)))
    return tuple(found)


def is_day(budget: Budget) -> bool:
    """Tell a day from a month."""
    return budget.ends_at - budget.starts_at <= DAY_S


@lru_cache(maxsize=1_024)
def policies_of(budget: Budget) -> Policies:
    """Give a budget's limits as a client is told of them; money is counted in millionths of a US dollar."""
    name = "day" if is_day(budget) else "month"
    window_s = int(budget.ends_at - budget.starts_at)
    found = []
    if budget.tokens is not None:
        found.append(Policy(f"tokens-{name}", budget.tokens, "tokens", window_s))
    if budget.cost is not None:
        found.append(Policy(f"cost-{name}", budget.cost // NANO_IN_MICRO, "micro-usd", window_s))
    if budget.bytes is not None:
        found.append(Policy(f"bytes-{name}", budget.bytes, "content-bytes", window_s))
    return Policies(found)


def tell_left(values: list[int], budget: Budget, standing: Standing, now: float) -> None:
    """Append the remaining amounts of a budget: the numbers for the places of `policies_of`."""
    used, reserved = standing
    resets_in_s = math.ceil(budget.ends_at - now)
    if budget.tokens is not None:
        left = budget.tokens - used.tokens - reserved.tokens
        values += (max(0, left), resets_in_s)
    if budget.cost is not None:
        left = (budget.cost - used.cost - reserved.cost) // NANO_IN_MICRO
        values += (max(0, left), resets_in_s)
    if budget.bytes is not None:
        values += (max(budget.bytes - used.bytes, 0), resets_in_s)
