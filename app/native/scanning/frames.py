"""The scanner's stack: one frame for each open object or list."""

import dataclasses
from dataclasses import dataclass

from app.native.scanning.found import Found
from app.native.scanning.roles import OTHER, Field, Place, Role
from app.native.scanning.tables.everywhere import ANYWHERE

FREE = frozenset({Role.TEXT, Role.TREE, Role.DATA})
"""Roles whose strings are passed unread."""
INHERITED = frozenset({Role.OTHER, Role.TEXT, Role.REFERENCE, Role.MODEL, Role.MCP_SERVERS})
"""Roles that the elements of a list have from the list.

A list is no media reference: its elements are judged at once, since a list has no `type` that could say so later."""


@dataclass(slots=True)
class Frame:
    """An open object or list.

    `is_free` marks the client's own data, in which no name has a meaning. `place` is an object's table; `field` and
    `name` are those of the value that comes next, `names` the folded names so far. `media_bytes`, `mime_type`, `type`
    and `late`, the references that count only if the object turns out to be media, are judged at its end.
    """

    is_object: bool
    place: Place = ANYWHERE
    field: Field = OTHER
    is_free: bool = False
    name: bytes = b""
    names: set[str] = dataclasses.field(default_factory=set)
    mime_type: str = ""
    media_bytes: int = 0
    type: str = ""
    late: tuple[Found, ...] = ()
