"""Text of clients and models, cleaned: control characters and endless strings go no further than this module."""

import re
from collections.abc import Iterable

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(value: object, max_chars: int) -> str | None:
    """Return a string as one line of at most `max_chars` characters; None for an empty string or another type."""
    if not isinstance(value, str):
        return None
    # Runs of blanks shrink, so more than `max_chars` characters are read, but not an endless string.
    words = " ".join(_CONTROLS.sub(" ", value[: 100 * max_chars]).split())
    return words[:max_chars].rstrip() or None


def paragraphs(lines: Iterable[str | None]) -> str:
    """Return the lines of an instruction joined by newlines, without lines that are None."""
    return "\n".join(line for line in lines if line is not None)


def wish(prompt: str | None) -> str | None:
    """Return the line of an instruction that contains the client's own prompt, or None without a prompt."""
    return f"Additional instructions: {prompt}" if prompt else None
