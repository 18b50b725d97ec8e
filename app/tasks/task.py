"""What every task is made of: a question, and for long tasks a gathering of several answers.

It knows neither HTTP nor Gemini's envelope: a question goes out as text and schema, an answer comes back as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about the media: an instruction, and the JSON Schema of the answer.

    `thinking_level` is minimal, low, medium or high; None leaves it to the model, as with `temperature`.
    """

    instruction: str
    schema: Mapping[str, object]
    thinking_level: str | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """Something that did not spoil the answer, but that whoever uses it should know."""

    code: str
    field: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one answer: whether nothing of it, or of what was wanted, is missing; whether it brought news."""

    is_whole: bool
    has_new: bool


class Gathering(Protocol):
    """A long task's state while its answer comes in several pieces."""

    def take(self, text: str) -> Taken:
        """Add what is whole and new. Raises UnreadableAnswerError."""

    def said(self) -> str:
        """Give the last items kept as JSON, to be shown to the model as its own turn; "" when nothing was kept."""

    def go_on(self) -> Question:
        """Say what to ask when the answer was cut: what follows the last item, and nothing before."""
