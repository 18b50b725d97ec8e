"""The forms of the tasks: what every task takes, and what each adds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import (
    Boolean,
    FileId,
    FileSize,
    FramesPerSecond,
    MetadataText,
    ModelName,
    OfFile,
    Seconds,
    Sha256,
    Time,
)

MAX_LABELS = 100
MAX_LABEL_CHARS = 100
MAX_PICTURES = 10

Language = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
Label = Annotated[str, Field(max_length=MAX_LABELS * MAX_LABEL_CHARS)]
MaskPlacement = Literal["cropped", "full", "none"]
SubtitleFormat = Literal["srt", "vtt", "text"]


class TaskOptions(BaseModel):
    """What every task's form has besides its media."""

    model_config = ConfigDict(extra="forbid")

    prompt: str | None = Field(None, description="What else the model should mind.")
    model: ModelName | None = Field(None, description="A model's name or alias; the gateway's default when absent.")
    language: Language | None = Field(None, description="The language of what is written, by name or code.")
    keep_file: Boolean | None = Field(None, description="Keep the file under an id until it expires.")
    timeout_s: Seconds | None = Field(None, description="Seconds from the body's end to the answer.")
    metadata: MetadataText | None = Field(None, description="Comes back in the answer; at most 2000 bytes of JSON.")
    file_size: Annotated[list[FileSize], OfFile()] = Field(default=[], description="Bytes of the file that follows.")
    sha256: Annotated[list[Sha256], OfFile()] = Field(default=[], description="Hex SHA-256 of the file that follows.")


class TaskForm(TaskOptions):
    """One file: exactly one of file and file_id."""

    file: bytes | None = Field(None, description="The file.")
    file_id: FileId | None = Field(None, description="A file uploaded before, in place of file.")


class CaptionForm(TaskForm):
    """A picture to describe."""


class DetectionForm(TaskForm):
    """A picture in which objects are found."""

    labels: list[Label] = Field(
        default=[], description="Only these, as given; repeatable, and each is split at its commas."
    )
    overlay: Boolean | None = Field(None, description="Answer also with the picture, the objects drawn on it.")


class SegmentationForm(DetectionForm):
    """A picture in which objects are outlined."""

    mask: MaskPlacement | None = Field(
        None, description="Masks cropped to their boxes (the default), as large as the picture, or none."
    )


class ComparisonForm(TaskOptions):
    """Two to ten pictures to compare, in order; file and file_id may be mixed."""

    file: Annotated[list[bytes], Field(default=[], description="A picture; repeatable.")]
    file_id: list[FileId] = Field(default=[], description="A picture uploaded before; repeatable.")


class PassageForm(TaskForm):
    """A file that lasts: a passage of it may be meant."""

    start: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")
    end: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")


class TranscriptionForm(PassageForm):
    """Sound to write down."""

    translate_to: Language | None = Field(None, description="Write it in this language instead of the spoken one.")


class SubtitlesForm(TranscriptionForm):
    """Sound to make subtitles of."""

    format: SubtitleFormat | None = Field(None, description="srt (the default), vtt or text.")


class MarkdownForm(TaskForm):
    """A PDF to turn into Markdown."""

    pages: Annotated[str, Field(max_length=2_000)] | None = Field(
        None, description='Pages from 1, as in "1,3-7"; all when absent.'
    )


class VideoForm(PassageForm):
    """A video to describe scene by scene."""

    fps: FramesPerSecond | None = Field(None, description="Frames a second that are looked at.")


TASK_FORMS = (
    CaptionForm,
    DetectionForm,
    SegmentationForm,
    ComparisonForm,
    TranscriptionForm,
    SubtitlesForm,
    MarkdownForm,
    VideoForm,
)
