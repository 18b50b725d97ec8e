"""A long task's result while its answers are still arriving: read anew from all that has come, now and then.

Reading anew costs as much as all the text there is, so whoever asks for it must not ask at every piece. It knows
nothing of time and of how what it gives is told.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.task import Accumulator

G = TypeVar("G", bound=Accumulator)


class Preview(Generic[G]):
    """The answers so far, the last of which may not be whole."""

    def __init__(self, make: Callable[[], G]) -> None:
        self._make = make
        self._answers: list[list[str]] = []

    def begin(self) -> None:
        """Note that another answer begins."""
        self._answers.append([])

    def feed(self, text: str) -> None:
        """Take in more of the last answer."""
        self._answers[-1].append(text)

    def look(self) -> G:
        """Gather what is whole by now; pure, and to be called in a thread."""
        accumulator = self._make()
        for pieces in list(self._answers):
            try:
                accumulator.take("".join(pieces))
            except UnreadableAnswerError:
                # Nothing whole has come yet, or never will: the run itself says so.
                continue
        return accumulator
