"""The answer of a PDF that became Markdown."""

from pydantic import Field

from app.api.schemas import Answer, Int
from app.tasks.answers import FileTaskAnswer


class MarkdownPage(Answer):
    """A page as Markdown."""

    page: Int = Field(description="From 1.")
    markdown: str


class MarkdownDocument(FileTaskAnswer):
    """A document as Markdown, page by page."""

    pages: list[MarkdownPage]
    page_count: Int | None = Field(description="Pages of the whole document, where they are known.")
    truncated_at_page: Int | None = Field(description="The first page that is missing; null when none is.")
