"""The fields that several tasks' forms have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import Boolean, FileId, FileSize, MetadataText, ModelName, OfFile, Seconds, Sha256, Time

Language = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\x00-\x1f]+$")]


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


class PassageForm(TaskForm):
    """A file that lasts: a passage of it may be meant."""

    start: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")
    end: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")
