"""The values that travel in and out of the book of budgets: frozen, and free of SQL. Days and months are UTC's."""

from collections.abc import Iterable
from typing import NamedTuple

Key = tuple[str, str]


class Amounts(NamedTuple):
    """How much: tokens, billionths of a US dollar, bytes."""

    tokens: int = 0
    cost: int = 0
    bytes: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """Add."""
        return Amounts(self.tokens + other.tokens, self.cost + other.cost, self.bytes + other.bytes)

    def minus(self, other: "Amounts") -> "Amounts":
        """Subtract."""
        return Amounts(self.tokens - other.tokens, self.cost - other.cost, self.bytes - other.bytes)


NO_AMOUNTS = Amounts()


def total(amounts: Iterable[Amounts]) -> Amounts:
    """Add up."""
    found = NO_AMOUNTS
    for each in amounts:
        found = found.plus(each)
    return found


class Budget(NamedTuple):
    """One party's day or month: from when until when it runs, and its limits; None is without."""

    subject: str
    period: str
    starts_at: float
    ends_at: float
    tokens: int | None = None
    cost: int | None = None
    bytes: int | None = None

    @property
    def key(self) -> Key:
        """What tells it from all others, and the order in which rows are locked."""
        return self.subject, self.period


class Standing(NamedTuple):
    """What has been used of a budget, and what calls that run hold of it. Bytes are used at once, never held."""

    used: Amounts = NO_AMOUNTS
    reserved: Amounts = NO_AMOUNTS

    def has_room(self, budget: Budget, amounts: Amounts) -> bool:
        """Tell whether so much more fits; what asks for nothing of a limit is not held to it."""
        gone = self.used.plus(self.reserved).plus(amounts)
        pairs = (
            (amounts.tokens, gone.tokens, budget.tokens),
            (amounts.cost, gone.cost, budget.cost),
            (amounts.bytes, gone.bytes, budget.bytes),
        )
        return all(not amount or limit is None or after <= limit for amount, after, limit in pairs)

    def without(self, amounts: Amounts) -> "Standing":
        """Tell how it stood before so much more was held; bytes are used at once."""
        held = Amounts(amounts.tokens, amounts.cost)
        return Standing(self.used.minus(Amounts(bytes=amounts.bytes)), self.reserved.minus(held))


class Hold(NamedTuple):
    """What one call is to hold, of all of `budgets` or of none: tokens and cost until it is settled, bytes for good.

    `id` is the call's own; with None, nothing is left to settle. `budgets` are in the order of their keys.
    """

    id: str | None
    budgets: tuple[Budget, ...]
    amounts: Amounts
    lease_until: float


class Held(NamedTuple):
    """How each budget stood when a hold was taken; or which had no room, and how it stood."""

    standings: tuple[Standing, ...]
    refused: Budget | None = None


class Settlement(NamedTuple):
    """What a reservation has really used."""

    id: str
    tokens: int
    cost: int
