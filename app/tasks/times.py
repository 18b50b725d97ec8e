"""Times as they are told to a model, and as it tells them: `MM:SS.s`, from an hour on `H:MM:SS.s`.

Read is whatever a model writes in their place; what a time is the time of, it does not know.
"""

import re

MAX_TIME_S = 864_000.0
"""Ten days: nothing that a model listens to or looks at is longer, so a larger number is no time."""

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)[ ]?s?")
_CLOCK = re.compile(r"(?:([0-9]{1,6}):(?=[0-5]?[0-9]:))?([0-9]{1,6}):([0-5]?[0-9](?:[.,][0-9]{1,9})?)")


def read_time(value: object) -> float | None:
    """Read a time in seconds, at least 0 and at most `MAX_TIME_S`, rounded to milliseconds.

    Taken are numbers of seconds, also as text ("75.5", "75s"), and clocks: "MM:SS", "H:MM:SS", both with a fraction
    behind a point or comma. Minutes without hours may pass 59, as in "75:30". Anything else is None.
    """
    if isinstance(value, str):
        value = _seconds_in(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TIME_S:
        return None
    return round(abs(float(value)), 3)


def _seconds_in(text: str) -> float | None:
    number = _SECONDS.fullmatch(text)
    if number is not None:
        return float(number[1])
    clock_time = _CLOCK.fullmatch(text)
    if clock_time is None:
        return None
    hours, minutes, seconds = clock_time.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def clock(seconds: float) -> str:
    """Write a time of at least 0 seconds as `MM:SS.s`, from an hour on as `H:MM:SS.s`, rounded to tenths."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    told = f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{told}" if hours else told
