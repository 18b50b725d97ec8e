from dataclasses import dataclass

NOON = 1_764_072_000.0
"""2025-11-25, 12:00:00 UTC: a minute and an hour begin, five days and a half before the month ends."""


@dataclass(slots=True)
class Clock:
    """The time, as a test sets it."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now
