"""How much hostile tests try: a representative part, or everything with `pytest --nightly`."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")
SEED = 20_260_101


class _Chosen:
    """The choice of the command line."""

    is_nightly = False


chosen = _Chosen()


def size(usual: int, *, nightly: int) -> int:
    """Return how many cases to try."""
    return nightly if chosen.is_nightly else usual


def some(cases: Sequence[T], usual: int) -> Sequence[T]:
    """Return all cases every night, otherwise the same `usual` of them each time."""
    if chosen.is_nightly or len(cases) <= usual:
        return cases
    return Random(SEED).sample(cases, usual)  # no secret depends on the choice


def examples(usual: int, *, nightly: int) -> Callable[[Any], Any]:
    """Decorate a property test with its number of examples: the same ones each time, and new ones every night."""
    is_nightly = chosen.is_nightly
    return settings(
        max_examples=nightly if is_nightly else usual,
        derandomize=not is_nightly,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
