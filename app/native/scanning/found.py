"""Strings found by the scanner. Each must be resolved before its bytes may be sent."""

from dataclasses import dataclass

from app.native.scanning.references import Meaning
from app.native.scanning.roles import Field


@dataclass(frozen=True, slots=True)
class ModelName:
    """The name of a model, in the client's spelling."""

    name: str


@dataclass(frozen=True, slots=True)
class Handle:
    """An opaque string for a stored object, whose kind is the field's kind."""

    value: str


@dataclass(frozen=True, slots=True)
class UsageOption:
    """The place of the option that asks for a stream's usage, in a body that does not ask; `literal` would ask."""

    literal: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A string to resolve: its bytes in the document, quotes included, its text, meaning and field.

    Of a value that can name no object, `text` may hold only the beginning, and `end` is then the end of that beginning.
    """

    start: int
    end: int
    text: str
    what: Meaning | ModelName | Handle | UsageOption
    field: Field
