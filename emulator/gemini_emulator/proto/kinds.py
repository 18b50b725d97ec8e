"""The grammar of a message: the names of its fields and the type of each.

Field names are written in camelCase; the parser takes the snake_case of each as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake_case(name: str) -> str:
    """Turn `inlineData` into `inline_data`."""
    return _HUMP.sub(r"_\1", name).lower()


class Scalar(StrEnum):
    """Values that are not messages; the text is how Google's errors call the type."""

    STRING = "TYPE_STRING"
    BOOL = "TYPE_BOOL"
    INT32 = "TYPE_INT32"
    INT64 = "TYPE_INT64"
    FLOAT = "TYPE_FLOAT"
    BYTES = "TYPE_BYTES"
    DURATION = "type.googleapis.com/google.protobuf.Duration"
    STRUCT = "type.googleapis.com/google.protobuf.Struct"
    VALUE = "type.googleapis.com/google.protobuf.Value"


@dataclass(frozen=True, slots=True)
class Enumeration:
    """One of a list of names, in any case, or the number of a name: its place in the list, from 0."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list, or one item that stands for a list of itself."""

    of: "Kind"


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with keys of the caller's choice."""

    of: "Kind"


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """An object with these fields; of those named in `one_of`, at most one.

    A message that contains itself is completed by `extend` after it has been made.
    """

    name: str
    one_of: frozenset[str] = frozenset()
    fields: "dict[str, tuple[str, str, Kind]]" = field(default_factory=dict)

    def extend(self, fields: "Mapping[str, Kind]") -> "Message":
        """Add fields, by their camelCase names."""
        for name, kind in fields.items():
            entry = (name, snake_case(name), kind)
            self.fields[name] = entry
            self.fields[entry[1]] = entry
        return self


Kind: TypeAlias = Scalar | Enumeration | Repeated | MapOf | Message


def message(name: str, fields: Mapping[str, Kind], *, one_of: frozenset[str] = frozenset()) -> Message:
    """Make a message of these fields, by their camelCase names."""
    return Message(name, one_of).extend(fields)
