"""The fields that several tasks' answers have in common: each always present, null if empty."""

from pydantic import Field

from app.api.schemas import Answer, CallWarning, FileReport, Int, TokenUsage
from app.tasks.boxes import PixelBox as Box


class TaskAnswer(Answer):
    """What every task's answer has."""

    id: str
    model: str = Field(description="The model that answered.")
    usage: TokenUsage
    finish_reason: str = Field(description="Gemini's finish reason in lower case; of several calls, the last one's.")
    complete: bool = Field(description="false when the answer was cut off, and what is here is not all.")
    warnings: list[CallWarning]
    metadata: dict[str, object] | None


class FileTaskAnswer(TaskAnswer):
    """The answer about one file."""

    file: FileReport


class ImageSize(Answer):
    """A picture's size in pixels, as displayed."""

    width: Int
    height: Int


class PixelBox(Answer):
    """A box in pixels of the picture as displayed, from its top left; x_max and y_max lie just outside."""

    x_min: Int
    y_min: Int
    x_max: Int
    y_max: Int

    @classmethod
    def of(cls, box: Box) -> "PixelBox":
        """Return a box as the answer shows it."""
        return cls(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


class OverlayImage(Answer):
    """The picture with what was found drawn on it."""

    mime_type: str
    data: str = Field(description="Base64.")
