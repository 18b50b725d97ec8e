"""Budgets: tokens and money of days and months, bytes of days, held before a call runs and settled when it has ended.

    reserve ──> (the call runs; sweep prolongs its lease) ──> settle: a row is written soon, off the call's path

A call whose process dies is settled at its estimate by whoever sweeps next. It knows no HTTP and no rates; days and
months are UTC's.
"""

import asyncio
import calendar
import math
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from app.clients.budget_writer import BudgetWriter
from app.clients.limits import LEASE_S
from app.clients.parties import Party
from app.clients.rate_headers import Quota
from app.store.budget_records import Amounts, Budget, Held, Hold, Settlement, Standing
from app.store.budgets import BudgetBook

DAY_S = 86_400
NANO = 1_000_000_000
NANO_IN_MICRO = 1_000
MOST = 10**18
"""The highest limit that is kept, in a column's own unit."""
MOST_AT_ONCE = 10**15
"""What one call is booked with at most, whatever it says: a column has room for thousands of those."""


def bounded(amount: int) -> int:
    """Keep an amount within what can be counted, whatever a caller or a model says."""
    return min(max(amount, 0), MOST_AT_ONCE)


def nanodollars(dollars: float) -> int:
    """Give US dollars in whole billionths, rounded up."""
    return min(math.ceil(max(dollars, 0.0) * NANO), MOST) if math.isfinite(dollars) else MOST


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


def quotas_of(budget: Budget, standing: Standing, *, now: float) -> list[Quota]:
    """Tell how a budget's limits stand; money is counted in millionths of a US dollar."""
    name = "day" if is_day(budget) else "month"
    used, reserved = standing.used, standing.reserved
    window_s, left_s = int(budget.ends_at - budget.starts_at), budget.ends_at - now
    found = []
    if budget.tokens is not None:
        left = budget.tokens - used.tokens - reserved.tokens
        found.append(Quota(f"tokens-{name}", budget.tokens, left, "tokens", window_s, left_s))
    if budget.cost is not None:
        left = (budget.cost - used.cost - reserved.cost) // NANO_IN_MICRO
        found.append(Quota(f"cost-{name}", budget.cost // NANO_IN_MICRO, left, "micro-usd", window_s, left_s))
    if budget.bytes is not None:
        left = budget.bytes - used.bytes
        found.append(Quota(f"bytes-{name}", budget.bytes, left, "content-bytes", window_s, left_s))
    return found


class Budgets:
    """Holds and settles, in the book that all replicas share."""

    def __init__(self, book: BudgetBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._clock = clock
        self._writing = asyncio.Lock()
        self.writer = BudgetWriter(self._write)

    async def _write(self, holds: Sequence[Hold], settlements: Sequence[Settlement]) -> list[Held]:
        async with self._writing:
            return await self._book.write(holds, settlements)

    async def reserve(self, call: str | None, budgets: Sequence[Budget], amounts: Amounts) -> Held:
        """Hold the amounts of every budget or of none, until `call` is settled; raises StoreUnavailableError.

        With None as the call, what is asked is used for good.
        """
        kept = Amounts(bounded(amounts.tokens), bounded(amounts.cost), bounded(amounts.bytes))
        return await self.writer.hold(Hold(call, tuple(budgets), kept, self._clock() + LEASE_S))

    def settle(self, call: str, *, tokens: int, cost: int) -> None:
        """Book what a call has really used, soon; it neither waits nor fails."""
        self.writer.settle(Settlement(call, bounded(tokens), bounded(cost)))

    async def sweep(self, running: Collection[str]) -> int:
        """Prolong the leases of calls that run here, then book those that nobody answers for; gives how many."""
        now = self._clock()
        # Not while settlements are written: the two would lock the same rows in different orders.
        async with self._writing:
            await self._book.renew(running, lease_until=now + LEASE_S)
        return await self._book.sweep(now=now)
