"""The vocabulary of the tables: the role of each named value, and the names in each kind of object.

Names are compared more loosely than by Google: `fileUri`, `file_uri` and any other spelling of the same letters are one
name, so that no lenient parser after this one can be tricked. Only facts need their exact spelling.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeAlias

from app.native.scanning.references import ObjectKind


class Role(IntEnum):
    """How a value is judged."""

    OTHER = 0
    """A string passes unless the whole string is the canonical name or address of a stored object."""
    TEXT = 1
    """A string, or a list of strings, is free text."""
    TREE = 2
    """The whole value is the client's own data, and its strings always pass."""
    DATA = 3
    """A string is media in base64."""
    REFERENCE = 4
    """A string names a stored object, or a URL if the field takes URLs."""
    MEDIA_REFERENCE = 5
    """A string names a stored object or a URL, but only if the object's `type` is that of media."""
    MODEL = 6
    """A string is the name of a model."""
    FACT = 7
    """A number, word or flag that bears on cost or routing."""
    MIME_TYPE = 8
    TYPE = 9
    """A word for the kind of the object."""
    CLOSED = 10
    """No client may set a value, since it would bypass the gateway."""
    MCP_SERVERS = 11
    """Closed unless the operator has opened MCP servers."""
    USAGE_OPTION = 12
    """The option that asks for the usage of an OpenAI stream, or the object that holds the option."""

    # The hash of `int`: an Enum computes its hash in Python, and every string is looked up in sets of roles.
    __hash__ = int.__hash__


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table.

    `kind` is the kind of object that a reference names; `takes_urls` allows a URL instead; `holds_lines` marks the file
    of a batch's requests. `fact` is the attribute of Facts to set. `is_primary` marks the model to run, as opposed to
    further models named in the request. `below` is the place of the objects in the value. `costs_extra` marks a tool
    that Gemini bills apart from the call's own tokens, or the type by which a tool is named.
    """

    role: Role
    kind: ObjectKind = ObjectKind.FILE
    takes_urls: bool = False
    holds_lines: bool = False
    fact: str = ""
    is_primary: bool = False
    below: "Place | None" = None
    costs_extra: bool = False


OTHER = Field(Role.OTHER)
TEXT = Field(Role.TEXT)
TREE = Field(Role.TREE)
DATA = Field(Role.DATA)
MEDIA = Field(Role.REFERENCE, takes_urls=True)
RESULT_MEDIA = Field(Role.MEDIA_REFERENCE, takes_urls=True)
LINES = Field(Role.REFERENCE, holds_lines=True)
MODEL = Field(Role.MODEL, is_primary=True)
OTHER_MODEL = Field(Role.MODEL)
MIME_TYPE = Field(Role.MIME_TYPE)
TYPE = Field(Role.TYPE)
USAGE_OPTION = Field(Role.USAGE_OPTION)
CLOSED = Field(Role.CLOSED)
PAID = Field(Role.OTHER, costs_extra=True)
PAID_TREE = Field(Role.TREE, costs_extra=True)
TOOL_TYPE = Field(Role.TYPE, costs_extra=True)


def reference(kind: ObjectKind) -> Field:
    """Return a field that names an object of this kind."""
    return Field(Role.REFERENCE, kind=kind)


def fact(name: str) -> Field:
    """Return a field that sets the attribute `name` of Facts."""
    return Field(Role.FACT, fact=name)


Table: TypeAlias = Mapping[str, "Field | Table | tuple[Field, Table]"]
"""From names in camelCase to their fields, to the tables of the objects below them, or to both."""


def fold(name: str) -> str:
    """Return a name in lower case, without underscores."""
    return name.replace("_", "").lower()


def snake(name: str) -> str:
    """Return a camelCase name in snake_case."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


class Place:
    """The names of one kind of object, compiled from a table.

    `known` maps exact spellings, as bytes, to the folded name and its field. A folded name of None means that the
    object may repeat the name: it is a key of the client's own data.
    """

    __slots__ = ("_default", "_fields", "known")

    def __init__(
        self, table: Table, *, outer: "Place | None" = None, is_snake_only: bool = False, default: Field = OTHER
    ) -> None:
        """Compile a table. A name outside the table has its field in `outer`, or else the field `default`."""
        self._default = default
        self._fields: dict[str, Field] = {} if outer is None else dict(outer._fields)
        self.known: dict[bytes, tuple[str | None, Field]] = {} if outer is None else dict(outer.known)
        for name, row in table.items():
            folded = fold(name)
            field = self._fields[folded] = _compiled(row, outer, is_snake_only=is_snake_only)
            for spelling in {snake(name)} if is_snake_only else {name, snake(name)}:
                self.known[spelling.encode()] = folded, field

    def look_up(self, name: str) -> tuple[str | None, Field] | None:
        """Return the folded name and the field of an unescaped name.

        Return None for a near miss of a fact's name, which one parser may read as the fact and another ignore.
        """
        known = self.known.get(name.encode())
        if known is not None:
            return known
        folded = fold(name)
        field = self._fields.get(folded)
        if field is None:
            return None if self._default.role is Role.TREE else folded, self._default
        return None if field.role in _EXACT else (folded, field)


_EXACT = frozenset({Role.FACT, Role.MODEL, Role.USAGE_OPTION})


def _compiled(row: "Field | Table | tuple[Field, Table]", outer: Place | None, *, is_snake_only: bool) -> Field:
    if isinstance(row, Field):
        return row
    field, table = row if isinstance(row, tuple) else (OTHER, row)
    return replace(field, below=Place(table, outer=outer, is_snake_only=is_snake_only))
