"""Times in prompts and answers: written as `MM:SS.s`, from one hour on as `H:MM:SS.s`; read in any notation."""

import re

# Ten days. No recording or video is longer, so a larger number is not a time.
MAX_TIME_S = 864_000.0

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)[ ]?s?")
_CLOCK = re.compile(r"(?:([0-9]{1,6}):(?=[0-5]?[0-9]:))?([0-9]{1,6}):([0-5]?[0-9](?:[.,][0-9]{1,9})?)")


def read_time(value: object) -> float | None:
    """Return a time in seconds, from 0 to `MAX_TIME_S`, rounded to milliseconds; None for anything else.

    Accepts numbers of seconds, also as text ("75.5", "75s"), and clock times "MM:SS" and "H:MM:SS", with an optional
    fraction after a point or comma. Minutes without hours may exceed 59, as in "75:30".
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
    """Return a time of at least 0 seconds as `MM:SS.s`, from one hour on as `H:MM:SS.s`, rounded to tenths."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    told = f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{told}" if hours else told
