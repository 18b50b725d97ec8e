"""The answer of a comparison."""

from pydantic import Field

from app.api.schemas import FileReport, Int, ResponseModel
from app.tasks.answers import PixelBox, TaskAnswer


class ImageDifference(ResponseModel):
    """A difference, and the place that shows it."""

    description: str
    image_index: Int = Field(description="Index from 0 of the picture that shows the difference.")
    box: PixelBox | None


class ImageComparison(TaskAnswer):
    """The differences of pictures."""

    files: list[FileReport]
    summary: str | None
    differences: list[ImageDifference]
