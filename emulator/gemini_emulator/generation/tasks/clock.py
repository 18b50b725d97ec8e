"""Times as Gemini's guides write them: MM:SS, from an hour on H:MM:SS. Knows nothing of media."""

import re

from gemini_emulator.generation.tasks.outline import Outline

_TIME = re.compile(r"\s*(?:(?:([0-9]{1,6}):)?([0-9]{1,6}):)?([0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*s?\s*")


def clock(seconds: float) -> str:
    """Write a time, to the hundredth of a second: "00:04.33", "1:02:03.00"."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"
    return f"{hours}:{tail}" if hours else tail


def time_in(schema: Outline, seconds: float) -> object:
    """Write a time as the schema has it: a string, or a number of seconds where it allows no string."""
    if "string" in schema.kinds or not schema.kinds & {"number", "integer"}:
        return clock(seconds)
    return round(seconds, 2) if "number" in schema.kinds else round(seconds)


def seconds_of(value: object) -> float | None:
    """Read a time, written as a clock's or as a number of seconds; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    hours, minutes, rest = match[1] or "0", match[2] or "0", match[3].replace(",", ".")
    return int(hours) * 3_600 + int(minutes) * 60 + float(rest)
