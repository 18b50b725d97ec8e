"""Numbers within bounds. Knows nothing of schemas."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number; a bound of None is absent."""

    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None
    step: Number | None = None

    def __contains__(self, number: Number) -> bool:
        """Return whether a number lies within the bounds; multiples of the step are not checked."""
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )


def integer_in(bounds: Range) -> int | None:
    """Choose the integer within the bounds that is nearest to 1, or None."""
    lows = [math.ceil(bounds.at_least)] if bounds.at_least is not None else []
    lows += [math.floor(bounds.above) + 1] if bounds.above is not None else []
    highs = [math.floor(bounds.at_most)] if bounds.at_most is not None else []
    highs += [math.ceil(bounds.below) - 1] if bounds.below is not None else []
    chosen = min([max([1, *lows]), *highs])
    if isinstance(bounds.step, int) and bounds.step > 0:
        chosen = -(-chosen // bounds.step) * bounds.step
        chosen = chosen if chosen in bounds else chosen - bounds.step
    return chosen if chosen in bounds else None


def number_in(bounds: Range) -> Number | None:
    """Choose a number within the bounds, an integer if possible; None if no number fits."""
    whole = integer_in(bounds)
    if whole is not None:
        return float(whole) if abs(whole) <= 2**53 else whole
    low = _tightest(bounds.at_least, bounds.above, pick=max)
    high = _tightest(bounds.at_most, bounds.below, pick=min)
    if low is None or high is None:
        return None
    for candidate in (low, low + (high - low) / 2, high):
        if candidate in bounds:
            return candidate
    return None


def _tightest(one: Number | None, other: Number | None, *, pick: Callable[[Iterable[Number]], Number]) -> Number | None:
    given = [bound for bound in (one, other) if bound is not None]
    return pick(given) if given else None
