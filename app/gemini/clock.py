"""Gemini's time, from this machine's clock and the Date header of Gemini's answers.

    monotonic ──> now()          steady: adjusted only once the other two clocks have agreed for minutes
    Date      ──> expiry_time()  the earliest: no object expires while one clock shows time left
    machine   ──> agreed()       None while the clocks differ: no row is deleted then

A machine that was suspended, a repair by NTP or a proxy with a clock of its own can set either clock wrong for a while.
Such a clock is logged as a warning and changes nothing for good. This module knows no file, no HTTP and no database.
"""

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

log = logging.getLogger("gateway.clock")

TOLERANCE_S = 5.0
"""Two answers agree on the time within this: the Date header has whole seconds, and answers take a while."""
LARGEST_SKEW_S = 600.0
"""The largest difference, in seconds, between clocks that agree."""
CONFIRMING_S = 180.0
CONFIRMING_ANSWERS = 3
"""Gemini's time is adopted after agreeing for this long, in this many answers with different Dates."""
KEPT_AFTER_EXPIRY_S = 3 * 86_400.0
"""Seconds for which rows of expired objects are kept."""
WARNING_INTERVAL_S = 3_600.0


class GeminiClock:
    """Gemini's time in seconds since the epoch. `machine` is the machine's clock, `monotonic` never goes back."""

    def __init__(
        self, *, machine: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._machine = machine
        self._monotonic = monotonic
        self._offset_s = machine() - monotonic()
        self._date = ""
        # The first answer sets the time at once: replicas share leases, so a machine's skew of minutes must not last.
        self._is_new = True
        # Gemini's time in seconds ahead of the monotonic clock: since when, and in how many answers.
        self._told_s: float | None = None
        self._told_since = 0.0
        self._answers = 0
        self._disagreed_at: float | None = None
        self._warned_at: float | None = None

    def now(self) -> float:
        """Return the steady time, for time stamps, leases and prices."""
        return self._monotonic() + self._offset_s

    def expiry_time(self) -> float:
        """Return the time to judge expiry by: the earlier of the steady time and Gemini's latest Date."""
        offset_s = self._offset_s if self._told_s is None else min(self._offset_s, self._told_s)
        return self._monotonic() + offset_s

    def agreed(self) -> float | None:
        """Return the time by which the leases of others have ended, or None while the clocks differ.

        Return None also before Gemini's first answer, and for three minutes after the clocks have differed.
        """
        if self._told_s is None:
            return None
        if not self._is_agreed():
            self._disagreed_at = self._monotonic()
        if self._disagreed_at is not None and self._monotonic() - self._disagreed_at < CONFIRMING_S:
            return None
        return self.expiry_time()

    def forgettable(self) -> float | None:
        """Return the time, days ago, before which every expiry is past for good; None while the clocks differ."""
        agreed = self.agreed()
        return None if agreed is None else agreed - KEPT_AFTER_EXPIRY_S

    def observe(self, date: str | None) -> None:
        """Compare the clocks with an answer's Date header; ignore an unreadable header."""
        if date is None or date == self._date:
            return
        self._date = date
        try:
            told_s = parsedate_to_datetime(date).timestamp() - self._monotonic()
        except (ValueError, OverflowError):
            return
        if self._told_s is None or abs(told_s - self._told_s) > TOLERANCE_S:
            self._told_s, self._told_since, self._answers = told_s, self._monotonic(), 0
        self._answers += 1
        self._adopt(told_s)

    def _adopt(self, told_s: float) -> None:
        skew_s = told_s - self._machine_offset_s()
        if abs(skew_s) > LARGEST_SKEW_S:
            self._warn(skew_s)
        elif abs(told_s - self._offset_s) > TOLERANCE_S and (self._is_new or self._is_confirmed()):
            log.info("the gateway's time was moved by %.0f s, to Gemini's time", told_s - self._offset_s)
            self._offset_s = told_s
        self._is_new = False
        if not self._is_agreed():
            self._disagreed_at = self._monotonic()

    def _is_confirmed(self) -> bool:
        return self._answers >= CONFIRMING_ANSWERS and self._monotonic() - self._told_since >= CONFIRMING_S

    def _is_agreed(self) -> bool:
        told_s = self._offset_s if self._told_s is None else self._told_s
        offsets = (self._offset_s, told_s, self._machine_offset_s())
        return max(offsets) - min(offsets) <= LARGEST_SKEW_S

    def _machine_offset_s(self) -> float:
        return self._machine() - self._monotonic()

    def _warn(self, skew_s: float) -> None:
        now = self._monotonic()
        if self._warned_at is None or now - self._warned_at >= WARNING_INTERVAL_S:
            self._warned_at = now
            log.warning(
                "Gemini's clock is %.0f s %s this machine's; until they agree, no expired row is deleted. "
                "Set the machine's clock if this line repeats.",
                abs(skew_s),
                "ahead of" if skew_s > 0 else "behind",
            )
