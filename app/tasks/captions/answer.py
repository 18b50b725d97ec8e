"""The answer of a caption."""

from pydantic import Field

from app.tasks.answers import FileTaskAnswer


class ImageCaption(FileTaskAnswer):
    """A picture's caption, alternative text and tags."""

    caption: str | None
    alt_text: str | None = Field(description="One sentence for people who cannot see the picture.")
    tags: list[str]
