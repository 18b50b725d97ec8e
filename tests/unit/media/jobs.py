"""Functions that tests have workers do; it imports next to nothing, as they have to import it too."""

import os
import sys
import time


class OneWayError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, number: int, *, why: str) -> None:
        super().__init__(number)
        self.why = why


def raise_what_cannot_be_sent() -> None:
    raise OneWayError(7, why="")


def slow_process_id() -> int:
    time.sleep(0.3)
    return os.getpid()


def loaded_modules() -> set[str]:
    return set(sys.modules)
