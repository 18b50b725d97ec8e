"""The fields that the forms of several tasks share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import Boolean, FileId, FileSize, MetadataText, ModelName, OfFile, Seconds, Sha256, Time

Language = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\x00-\x1f]+$")]


class TaskOptions(BaseModel):
    """The fields of every task's form besides its media."""

    model_config = ConfigDict(extra="forbid")

    prompt: str | None = Field(None, description="Further instructions for the model.")
    model: ModelName | None = Field(
        None, description="A model's name or alias; by default the gateway's default model."
    )
    language: Language | None = Field(None, description="Language of the written text, by name or code.")
    keep_file: Boolean | None = Field(None, description="Keep the file under an id until it expires.")
    timeout_s: Seconds | None = Field(None, description="Seconds from the end of the body to the answer.")
    metadata: MetadataText | None = Field(None, description="Repeated in the answer; at most 2000 bytes of JSON.")
    file_size: Annotated[list[FileSize], OfFile()] = Field(
        default=[], description="Size in bytes of the file that follows."
    )
    sha256: Annotated[list[Sha256], OfFile()] = Field(
        default=[], description="SHA-256 in hex of the file that follows."
    )


class TaskForm(TaskOptions):
    """A form with exactly one of file and file_id."""

    file: bytes | None = Field(None, description="The file.")
    file_id: FileId | None = Field(None, description="Id of an uploaded file, instead of file.")


class PassageForm(TaskForm):
    """A form for a recording or video, with an optional passage."""

    start: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")
    end: Time | None = Field(None, description="Seconds, M:SS or H:MM:SS from the start of the file.")
