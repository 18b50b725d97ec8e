"""The form of a PDF to convert to Markdown."""

from typing import Annotated

from pydantic import Field

from app.tasks.forms import TaskForm


class MarkdownForm(TaskForm):
    """A PDF to convert to Markdown."""

    pages: Annotated[str, Field(max_length=2_000)] | None = Field(
        None, description='Pages from 1, as in "1,3-7"; by default all pages.'
    )
