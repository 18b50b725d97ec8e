"""The form of a detection, and the labels in it."""

from typing import Annotated

from pydantic import Field

from app.api.fields import Boolean
from app.errors import FieldError, InvalidFieldError
from app.tasks.forms import TaskForm

MAX_LABELS = 100
MAX_LABEL_CHARS = 100

Label = Annotated[str, Field(max_length=MAX_LABELS * MAX_LABEL_CHARS)]


class DetectionForm(TaskForm):
    """A picture to find objects in."""

    labels: list[Label] = Field(
        default=[], description="Find only these objects, with these names; repeatable, split at commas."
    )
    overlay: Boolean | None = Field(None, description="Return also the picture with the objects drawn on it.")


def labels_of(form: DetectionForm) -> tuple[str, ...]:
    """Return the labels of a form: split at commas, without surrounding spaces, each once.

    Raises InvalidFieldError for more than MAX_LABELS labels, or a label of more than MAX_LABEL_CHARS characters.
    """
    pieces = (piece.strip() for text in form.labels for piece in text.split(","))
    labels = tuple(dict.fromkeys(piece for piece in pieces if piece))
    if len(labels) > MAX_LABELS or any(len(label) > MAX_LABEL_CHARS for label in labels):
        message = f"takes at most {MAX_LABELS} labels of {MAX_LABEL_CHARS} characters"
        raise InvalidFieldError(
            f"labels: {message}.", errors=(FieldError("labels", message, received=f"{len(labels)} labels"),)
        )
    return labels
