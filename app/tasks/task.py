"""The parts of every task: a question, and for long tasks an accumulator of several answers.

This module knows neither HTTP nor Gemini's envelope: a question is text and a schema, an answer is text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """A question about media: an instruction, and the JSON Schema of the answer.

    `thinking_level` is minimal, low, medium or high. None leaves the level, or the `temperature`, to the model.
    """

    instruction: str
    schema: Mapping[str, object]
    thinking_level: str | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """A defect of an answer that is still usable, told to the client."""

    code: str
    field: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The effect of one answer: whether all requested items are complete, and whether any item is new."""

    is_whole: bool
    has_new: bool


class Accumulator(Protocol):
    """The state of a long task whose answer arrives in several pieces."""

    def take(self, text: str) -> Progress:
        """Add the whole and new items of an answer. Raises UnreadableAnswerError."""

    def last_items(self) -> str:
        """Return the last items as JSON, shown to the model as its own turn; "" without items."""

    def continuation(self) -> Question:
        """Return the question for the items after the last item, asked if the answer was cut."""
