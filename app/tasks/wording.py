"""Words of clients and models, tidied: control characters and endless strings go no further than this."""

import re
from collections.abc import Iterable

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(value: object, max_chars: int) -> str | None:
    """Give a string as one line of at most `max_chars` characters; None for an empty one and for anything else."""
    if not isinstance(value, str):
        return None
    # Blanks may become fewer, but hardly a hundred times.
    words = " ".join(_CONTROLS.sub(" ", value[: 100 * max_chars]).split())
    return words[:max_chars].rstrip() or None


def paragraphs(lines: Iterable[str | None]) -> str:
    """Join the sentences of an instruction, one a line, without those that are None."""
    return "\n".join(line for line in lines if line is not None)


def wish(prompt: str | None) -> str | None:
    """Give the line of an instruction with which the client's own prompt is told."""
    return f"Mind also: {prompt}" if prompt else None
