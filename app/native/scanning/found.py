"""Strings that the scanner has found, each to be resolved before its bytes may go on."""

from dataclasses import dataclass

from app.native.scanning.references import Meaning
from app.native.scanning.roles import Field


@dataclass(frozen=True, slots=True)
class ModelName:
    """The name of a model, as the client writes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Handle:
    """An opaque string that stands for a stored object; the field's kind says for which kind of object."""

    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """A string that names something: its bytes in the document, with their quotes, its text, meaning and field.

    A value that can name no object may be longer than `text`, and its `end` is then that of its beginning.
    """

    start: int
    end: int
    text: str
    what: Meaning | ModelName | Handle
    field: Field
