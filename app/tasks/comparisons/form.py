"""The form of a comparison."""

from typing import Annotated

from pydantic import Field

from app.api.fields import FileId
from app.tasks.forms import TaskOptions

MAX_PICTURES = 10


class ComparisonForm(TaskOptions):
    """Two to ten pictures to compare, in order; file and file_id may be mixed."""

    file: Annotated[list[bytes], Field(default=[], description="A picture; repeatable.")]
    file_id: list[FileId] = Field(default=[], description="Id of an uploaded picture; repeatable.")
