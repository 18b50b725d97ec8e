"""What the tasks answer: each field always present, null when empty."""

from pydantic import Field

from app.api.schemas import Answer, CallWarning, FileReport, Int, Number, TokenUsage


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


class ImageCaption(FileTaskAnswer):
    """What a picture shows."""

    caption: str | None
    alt_text: str | None = Field(description="One sentence for those who cannot see the picture.")
    tags: list[str]


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


class OverlayImage(Answer):
    """The picture with what was found drawn on it."""

    mime_type: str
    data: str = Field(description="Base64.")


class DetectedObject(Answer):
    """An object and where it is."""

    label: str
    box: PixelBox
    box_2d: list[Int] = Field(description="ymin, xmin, ymax, xmax in thousandths of the picture's height and width.")


class ImageDetections(FileTaskAnswer):
    """The objects of a picture."""

    image: ImageSize
    objects: list[DetectedObject]
    dropped_count: Int = Field(description="Objects of the model's that had no usable box, or no wanted label.")
    overlay: OverlayImage | None


class ObjectMask(Answer):
    """The pixels of an object: a PNG, white where the object is, and where it lies in the picture."""

    png: str = Field(description="Base64.")
    x: Int
    y: Int
    width: Int
    height: Int
    area: Int = Field(description="The object's pixels.")


class SegmentedObject(DetectedObject):
    """An object, where it is, and which pixels are its own."""

    mask: ObjectMask | None


class ImageSegmentations(FileTaskAnswer):
    """The objects of a picture, outlined."""

    image: ImageSize
    objects: list[SegmentedObject]
    dropped_count: Int = Field(description="Objects of the model's that had no usable box, or no wanted label.")
    overlay: OverlayImage | None


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


class MarkdownPage(Answer):
    """A page as Markdown."""

    page: Int = Field(description="From 1.")
    markdown: str


class MarkdownDocument(FileTaskAnswer):
    """A document as Markdown, page by page."""

    pages: list[MarkdownPage]
    page_count: Int | None = Field(description="Pages of the whole document, where they are known.")
    truncated_at_page: Int | None = Field(description="The first page that is missing; null when none is.")


class VideoScene(Answer):
    """A scene; times in seconds from the start of the file."""

    start: Number
    end: Number
    description: str


class VideoDescription(FileTaskAnswer):
    """A video, scene by scene."""

    duration: Number | None = Field(description="Seconds of the whole file, where they are known.")
    scenes: list[VideoScene]
