"""The result of a long task while its answers still arrive, read again from all text so far."""
# Reading costs in proportion to all text so far, so callers must not read after every piece.

from collections.abc import Callable
from typing import Generic, TypeVar

from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.task import Accumulator

G = TypeVar("G", bound=Accumulator)


class Preview(Generic[G]):
    """The answers so far; the last answer may be incomplete."""

    def __init__(self, make: Callable[[], G]) -> None:
        self._make = make
        self._answers: list[list[str]] = []

    def begin(self) -> None:
        """Begin another answer."""
        self._answers.append([])

    def feed(self, text: str) -> None:
        """Add text to the last answer."""
        self._answers[-1].append(text)

    def look(self) -> G:
        """Return the whole items so far; to be called in a thread."""
        accumulator = self._make()
        for pieces in list(self._answers):
            try:
                accumulator.take("".join(pieces))
            except UnreadableAnswerError:
                # The answer has no whole item yet; at its end the task itself reports an unreadable answer.
                continue
        return accumulator
