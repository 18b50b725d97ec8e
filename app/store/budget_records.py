"""The frozen values that travel in and out of the budget book, free of SQL. Days and months are UTC's."""

from collections.abc import Iterable
from typing import NamedTuple

Key = tuple[str, str]


class Amounts(NamedTuple):
    """Tokens, billionths of a US dollar, and bytes."""

    tokens: int = 0
    cost: int = 0
    bytes: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """Return the sum."""
        return Amounts(self.tokens + other.tokens, self.cost + other.cost, self.bytes + other.bytes)

    def minus(self, other: "Amounts") -> "Amounts":
        """Return the difference."""
        return Amounts(self.tokens - other.tokens, self.cost - other.cost, self.bytes - other.bytes)


NO_AMOUNTS = Amounts()


def total(amounts: Iterable[Amounts]) -> Amounts:
    """Return the sum of several amounts."""
    found = NO_AMOUNTS
    for each in amounts:
        found = found.plus(each)
    return found


class Budget(NamedTuple):
    """The limits of one owner (`subject`) for one day or month; None means no limit."""

    subject: str
    period: str
    starts_at: float
    ends_at: float
    tokens: int | None = None
    cost: int | None = None
    bytes: int | None = None

    @property
    def key(self) -> Key:
        """Return the unique key of the budget's row; rows are locked in the order of their keys."""
        return self.subject, self.period


class BudgetState(NamedTuple):
    """The used amounts of a budget, and those that running calls hold. Bytes are used at once, never held."""

    used: Amounts = NO_AMOUNTS
    reserved: Amounts = NO_AMOUNTS

    def has_room(self, budget: Budget, amounts: Amounts) -> bool:
        """Whether the amounts fit; an amount of 0 fits any limit, even an exceeded one."""
        gone = self.used.plus(self.reserved).plus(amounts)
        pairs = (
            (amounts.tokens, gone.tokens, budget.tokens),
            (amounts.cost, gone.cost, budget.cost),
            (amounts.bytes, gone.bytes, budget.bytes),
        )
        return all(not amount or limit is None or after <= limit for amount, after, limit in pairs)

    def before(self, amounts: Amounts) -> "BudgetState":
        """Return the state before these amounts were held; bytes are used at once."""
        held = Amounts(amounts.tokens, amounts.cost)
        return BudgetState(self.used.minus(Amounts(bytes=amounts.bytes)), self.reserved.minus(held))


class Hold(NamedTuple):
    """Amounts to hold of all of `budgets` or of none: tokens and cost until settlement, bytes for good.

    `id` is the reservation's; None leaves nothing to settle. `budgets` are in the order of their keys.
    """

    id: str | None
    budgets: tuple[Budget, ...]
    amounts: Amounts
    lease_until: float


class HoldResult(NamedTuple):
    """The state of each budget after a hold; or the budget without room (`refused`), and its state."""

    states: tuple[BudgetState, ...]
    refused: Budget | None = None


class Settlement(NamedTuple):
    """The amounts that a reservation has really used."""

    id: str
    tokens: int
    cost: int
