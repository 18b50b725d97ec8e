"""The answer of a PDF converted to Markdown."""

from pydantic import Field

from app.api.schemas import Int, ResponseModel
from app.tasks.answers import FileTaskAnswer


class MarkdownPage(ResponseModel):
    """A page as Markdown."""

    page: Int = Field(description="Number of the page, from 1.")
    markdown: str


class MarkdownDocument(FileTaskAnswer):
    """A document as Markdown, page by page."""

    pages: list[MarkdownPage]
    page_count: Int | None = Field(description="Number of pages of the whole document; null if unknown.")
    truncated_at_page: Int | None = Field(description="The first missing page, or null.")
