"""The answer of a caption."""

from pydantic import Field

from app.tasks.answers import FileTaskAnswer


class ImageCaption(FileTaskAnswer):
    """What a picture shows."""

    caption: str | None
    alt_text: str | None = Field(description="One sentence for those who cannot see the picture.")
    tags: list[str]
