"""Ids that tell requests and answers apart and open nothing. What opens something is made by `secrets`."""

import random

_numbers = random.Random()  # noqa: S311  # seeded by the system; see above


def new_id(prefix: str) -> str:
    """Make an id that nothing else has: the prefix, and 24 hexadecimal digits."""
    # Not from the system, which is asked by a call of its own each time, without the interpreter's lock.
    return f"{prefix}{_numbers.getrandbits(96):024x}"
