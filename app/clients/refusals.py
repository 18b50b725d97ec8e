"""What a call is told that a limit refuses: which limit, whose, how much is left, and when to come again."""

from collections.abc import Mapping

from app.clients.budgets import NANO, is_day
from app.clients.limits import Draw, Taken, window_left
from app.clients.parties import Party, Whose
from app.clients.plan import REQUESTS, SLOTS, Demand
from app.errors import RateLimitedError
from app.store.budget_records import Amounts, Budget, Standing

SOON_S = 5.0
"""When to come again if only calls that still run are in the way."""

_LIMIT = {
    Whose.CLIENT: "Your limit of",
    Whose.ISSUER: "Your group's limit of",
    Whose.GATEWAY: "The gateway's limit of",
}


def counter_refusal(demand: Demand, draw: Draw, taken: Taken, headers: Mapping[str, str]) -> RateLimitedError:
    """Say which rate, or number of calls at the same time, is reached; a draw was refused."""
    refused = taken.refused or 0
    party, kind, (_, quota) = demand.sources[refused]
    amount = draw.amount_of(refused)
    limit = f"{_LIMIT[party.whose]} {quota} {kind.phrase}"
    if kind is SLOTS:
        return RateLimitedError(f"{limit} is reached; wait until one has ended.", retry_after_s=1, headers=headers)
    if amount > quota:
        return _never(f"{limit} is less than this call may use ({amount})", headers)
    left_s = window_left(draw.taken_at)
    if kind is REQUESTS:
        return RateLimitedError(f"{limit} is reached.", retry_after_s=left_s, headers=headers)
    left = max(quota - taken.used[refused], 0)
    return RateLimitedError(
        f"{limit} has {left} left, and this call may use {amount}.", retry_after_s=left_s, headers=headers
    )


def budget_refusal(
    party: Party, budget: Budget, standing: Standing, amounts: Amounts, *, now: float, headers: Mapping[str, str]
) -> RateLimitedError:
    """Say which budget of a day or month has no room."""
    used, reserved = standing.used, standing.reserved
    asked = (
        ("tokens", amounts.tokens, budget.tokens, used.tokens, reserved.tokens),
        ("US dollars", amounts.cost, budget.cost, used.cost, reserved.cost),
        ("uploaded bytes", amounts.bytes, budget.bytes, used.bytes, 0),
    )
    for unit, amount, limit, gone, held in asked:
        if amount and limit is not None and gone + held + amount > limit:
            shown = (lambda value: f"{value / NANO:g}") if unit == "US dollars" else str
            period = "day" if is_day(budget) else "month"
            text = f"{_LIMIT[party.whose]} {shown(limit)} {unit} a {period}"
            if amount > limit:
                return _never(f"{text} is less than this call may use ({shown(amount)})", headers)
            # What runs usually uses less than it holds: then there is room long before the period ends.
            wait_s = SOON_S if gone + amount <= limit else budget.ends_at - now
            left = shown(max(limit - gone - held, 0))
            detail = f"{text} has {left} left, and this call may use {shown(amount)}."
            return RateLimitedError(detail, retry_after_s=wait_s, headers=headers)
    # A call that ended between the two looks has made room.
    return RateLimitedError("A limit was reached a moment ago.", retry_after_s=1, headers=headers)


def _never(text: str, headers: Mapping[str, str]) -> RateLimitedError:
    return RateLimitedError(f"{text}: waiting does not help; send less, or set max_output_tokens.", headers=headers)
