"""The answer of a comparison."""

from pydantic import Field

from app.api.schemas import Answer, FileReport, Int
from app.tasks.answers import PixelBox, TaskAnswer


class ImageDifference(Answer):
    """One difference, and where it shows."""

    description: str
    image_index: Int = Field(description="The picture in which it shows, from 0.")
    box: PixelBox | None


class ImageComparison(TaskAnswer):
    """How pictures differ."""

    files: list[FileReport]
    summary: str | None
    differences: list[ImageDifference]
