"""Which held files must be uploaded, so that the rest of the request fits inline. A pure rule over sizes.

The rule runs at fixed steps of a part's data and at its end, independent of the network, so that the same body always
gives the same decision: while the encoded request would exceed the limit, the largest held file spills. The file being
read counts with its bytes so far, and wins ties.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.gemini.request import base64_length

# Data is held and checked in steps of 192 KiB, a multiple of 3, so that each step is base64 by itself.
STEP_BYTES = 196_608


@dataclass(frozen=True, slots=True)
class HeldSize:
    """Sizes of a held file: its bytes so far, its inline overhead besides base64, and the length of its reference."""

    size_bytes: int
    inline_overhead: int
    reference_length: int

    @property
    def inline_length(self) -> int:
        """Return the inline length, base64 included."""
        return self.inline_overhead + base64_length(self.size_bytes)


def largest(held: Mapping[int, HeldSize], reading: int | None) -> int:
    """Return the held file that spills first: the largest; the file being read wins ties, then the earliest."""
    return max(held, key=lambda index: (held[index].size_bytes, index == reading, -index))


def spills(held: Mapping[int, HeldSize], *, fixed_bytes: int, limit_bytes: int, reading: int | None) -> list[int]:
    """Return the held files that must spill now, in order.

    `fixed_bytes` is the rest of the request: envelope, fields, references of uploaded files.
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
