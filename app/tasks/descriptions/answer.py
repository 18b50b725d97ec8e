"""The answer of a video description."""

from pydantic import Field

from app.api.schemas import Number, ResponseModel
from app.tasks.answers import FileTaskAnswer


class VideoScene(ResponseModel):
    """A scene; times in seconds from the start of the file."""

    start: Number
    end: Number
    description: str


class VideoDescription(FileTaskAnswer):
    """A video, scene by scene."""

    duration: Number | None = Field(description="Duration of the whole file in seconds; null if unknown.")
    scenes: list[VideoScene]
