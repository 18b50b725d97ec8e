"""Which held files must go up, so that the rest of a request fits inline. A pure rule over sizes.

It is asked at fixed steps of a part's data and at its end, never when the network happens to cut, so that the same body
always gives the same decision: while the encoded request would pass the limit, the largest held file spills; the one
being read counts with its bytes so far and wins ties.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.gemini.request import base64_length

STEP_BYTES = 196_608
"""Data is looked at, and held, in steps of 192 KiB: a multiple of 3, so that each is base64 by itself."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file that is held: its bytes so far, what it takes inline besides its base64, and what its reference takes."""

    size_bytes: int
    inline_overhead: int
    reference_length: int

    @property
    def inline_length(self) -> int:
        """What it takes inline, its base64 included."""
        return self.inline_overhead + base64_length(self.size_bytes)


def largest(held: Mapping[int, Held], reading: int | None) -> int:
    """Tell which held file goes first: the largest; the one being read wins ties, then the earliest."""
    return max(held, key=lambda index: (held[index].size_bytes, index == reading, -index))


def spills(held: Mapping[int, Held], *, fixed_bytes: int, limit_bytes: int, reading: int | None) -> list[int]:
    """Tell which held files must spill now, in order.

    `fixed_bytes` is everything else of the request: envelope, fields, references of files that are uploaded.
    """
    left = dict(held)
    total = fixed_bytes + sum(file.inline_length for file in left.values())
    out = []
    while left and total > limit_bytes:
        index = largest(left, reading)
        file = left.pop(index)
        total += file.reference_length - file.inline_length
        out.append(index)
    return out
