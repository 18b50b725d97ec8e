"""The fields that the answers of several tasks share: always present, null if empty."""

from pydantic import Field

from app.api.schemas import CallWarning, FileReport, Int, ResponseModel, TokenUsage
from app.tasks.boxes import PixelRectangle


class TaskAnswer(ResponseModel):
    """The fields of every task's answer."""

    id: str
    model: str = Field(description="The model that answered.")
    usage: TokenUsage
    finish_reason: str = Field(
        description="Gemini's finish reason in lower case; after several calls, that of the last call."
    )
    complete: bool = Field(description="false if a limit cut the answer; all whole parts are present.")
    warnings: list[CallWarning]
    metadata: dict[str, object] | None


class FileTaskAnswer(TaskAnswer):
    """The answer about one file."""

    file: FileReport


class ImageSize(ResponseModel):
    """A picture's size in pixels, as displayed."""

    width: Int
    height: Int


class PixelBox(ResponseModel):
    """A box in pixels of the picture as displayed, from its top left; x_max and y_max lie just outside."""

    x_min: Int
    y_min: Int
    x_max: Int
    y_max: Int

    @classmethod
    def of(cls, box: PixelRectangle) -> "PixelBox":
        """Return a box as the answer shows it."""
        return cls(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


class OverlayImage(ResponseModel):
    """The picture with the found objects drawn on it."""

    mime_type: str
    data: str = Field(description="Base64.")
