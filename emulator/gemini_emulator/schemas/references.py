"""References within a JSON Schema document: JSON Pointers in fragments. Fetches nothing."""

from collections.abc import Mapping
from urllib.parse import unquote

from gemini_emulator.schemas.errors import UnsupportedSchemaError


def resolve(root: Mapping[str, object], reference: str) -> object:
    """Return the target of a reference (`#`, `#/$defs/Node`, `#/properties/a%20b/anyOf/0`).

    Raises:
        UnsupportedSchemaError: when it points out of the document, or to nothing.

    """
    if reference != "#" and not reference.startswith("#/"):
        raise UnsupportedSchemaError(f"only references within the schema are followed: {reference:.100}")
    target: object = root
    for raw_step in reference.split("/")[1:]:
        step = unquote(raw_step).replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping) and step in target:
            target = target[step]
        elif isinstance(target, list) and step.isascii() and step.isdigit() and int(step) < len(target):
            target = target[int(step)]
        else:
            raise UnsupportedSchemaError(f"nothing at {reference:.100}")
    return target
