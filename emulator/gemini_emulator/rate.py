"""Calls a minute, counted for each model on the emulator's clock."""

import math
from collections import deque

from gemini_emulator.clock import Clock
from gemini_emulator.failures import rate_limited

_WINDOW_S = 60.0


class Rate:
    """A sliding window of a minute; `limit` None lets everything through."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}

    def admit(self, model: str) -> None:
        """Count a call; raises ApiFailureError (429) when the minute is full."""
        if self._limit is None:
            return
        now = self._clock.now()
        calls = self._calls.setdefault(model, deque())
        while calls and calls[0] <= now - _WINDOW_S:
            calls.popleft()
        if len(calls) >= self._limit:
            raise rate_limited(model=model, limit=self._limit, retry_delay_s=math.ceil(calls[0] + _WINDOW_S - now))
        calls.append(now)

    def reset(self) -> None:
        """Forget all calls."""
        self._calls.clear()
