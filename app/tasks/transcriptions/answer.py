"""The answer of a transcription."""

from pydantic import Field

from app.api.schemas import Int, Number, ResponseModel
from app.tasks.answers import FileTaskAnswer


class TranscriptSegment(ResponseModel):
    """A stretch of speech; times in seconds from the start of the file."""

    index: Int
    start: Number
    end: Number
    speaker: str | None
    text: str


class Transcription(FileTaskAnswer):
    """The speech of a recording."""

    language: str | None
    duration: Number | None = Field(description="Duration of the whole file in seconds; null if unknown.")
    text: str
    segments: list[TranscriptSegment]
