"""The answer of a transcription."""

from pydantic import Field

from app.api.schemas import Answer, Int, Number
from app.tasks.answers import FileTaskAnswer


class TranscriptSegment(Answer):
    """A stretch of speech; times in seconds from the start of the file."""

    index: Int
    start: Number
    end: Number
    speaker: str | None
    text: str


class Transcription(FileTaskAnswer):
    """What is said."""

    language: str | None
    duration: Number | None = Field(description="Seconds of the whole file, where they are known.")
    text: str
    segments: list[TranscriptSegment]
