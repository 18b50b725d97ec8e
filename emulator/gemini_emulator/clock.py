"""The emulator's own time, which a test can advance."""

import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Seconds since the epoch: the machine's clock plus the seconds by which tests have advanced this clock."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Return the time."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Go forward."""
        self._ahead_s += seconds

    def reset(self) -> None:
        """Go back to the machine's time."""
        self._ahead_s = 0.0

    def http_date(self) -> bytes:
        """Return the time in the format of a Date header."""
        return formatdate(self.now(), usegmt=True).encode("ascii")


def rfc3339(moment: float) -> str:
    """Write seconds since the epoch as Google does, in microseconds of UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
