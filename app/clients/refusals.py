"""The message of a limit that refuses: which limit, its owner, how much is left, and when to try again."""

from collections.abc import Mapping

from app.clients.budgets import NANO, is_day
from app.clients.counters import CounterRequest, CounterResult, window_left
from app.clients.limit_owners import LimitOwner, OwnerKind
from app.clients.limit_sets import REQUESTS, SLOTS, LimitSet
from app.errors import RateLimitedError
from app.store.budget_records import Amounts, Budget, BudgetState

SOON_S = 5.0
"""When to try again if only running calls are in the way."""

_LIMIT = {
    OwnerKind.CLIENT: "Your limit of",
    OwnerKind.ISSUER: "Your group's limit of",
    OwnerKind.KEY: "The limit for all users of your key together of",
    OwnerKind.GATEWAY: "The gateway's limit of",
}


def counter_refusal(
    limits: LimitSet, request: CounterRequest, result: CounterResult, headers: Mapping[str, str]
) -> RateLimitedError:
    """Return the error for a rate, or a number of concurrent requests, that is reached."""
    refused = result.refused or 0
    owner, kind, (_, quota) = limits.limits[refused]
    amount = request.amount_of(refused)
    limit = f"{_LIMIT[owner.kind]} {quota} {kind.phrase}"
    if kind is SLOTS:
        return RateLimitedError(f"{limit} is reached; wait until a call has ended.", retry_after_s=1, headers=headers)
    if amount > quota:
        return _never(f"{limit} is less than this call may use ({amount})", headers)
    left_s = window_left(request.taken_at)
    if kind is REQUESTS:
        return RateLimitedError(f"{limit} is reached.", retry_after_s=left_s, headers=headers)
    left = max(quota - result.used[refused], 0)
    return RateLimitedError(
        f"{limit} has {left} left, and this call may use {amount}.", retry_after_s=left_s, headers=headers
    )


def budget_refusal(
    owner: LimitOwner, budget: Budget, state: BudgetState, amounts: Amounts, *, now: float, headers: Mapping[str, str]
) -> RateLimitedError:
    """Return the error for a budget of a day or month without room."""
    used, reserved = state.used, state.reserved
    asked = (
        ("tokens", amounts.tokens, budget.tokens, used.tokens, reserved.tokens),
        ("US dollars", amounts.cost, budget.cost, used.cost, reserved.cost),
        ("uploaded bytes", amounts.bytes, budget.bytes, used.bytes, 0),
    )
    for unit, amount, limit, gone, held in asked:
        if amount and limit is not None and gone + held + amount > limit:
            shown = (lambda value: f"{value / NANO:g}") if unit == "US dollars" else str
            period = "day" if is_day(budget) else "month"
            text = f"{_LIMIT[owner.kind]} {shown(limit)} {unit} a {period}"
            if amount > limit:
                return _never(f"{text} is less than this call may use ({shown(amount)})", headers)
            # A running call usually uses less than it holds: then there is room long before the period ends.
            wait_s = SOON_S if gone + amount <= limit else budget.ends_at - now
            left = shown(max(limit - gone - held, 0))
            detail = f"{text} has {left} left, and this call may use {shown(amount)}."
            return RateLimitedError(detail, retry_after_s=wait_s, headers=headers)
    # A call that ended between the refusal and the look at the budget has made room.
    return RateLimitedError("A limit was reached a moment ago.", retry_after_s=1, headers=headers)


def _never(text: str, headers: Mapping[str, str]) -> RateLimitedError:
    return RateLimitedError(f"{text}: waiting does not help; send less, or set max_output_tokens.", headers=headers)
