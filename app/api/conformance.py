"""Checks whether the model's text is JSON of the client's schema.

The schema is untrusted: its patterns run on an engine without backtracking, and its references are never fetched.
"""

from collections.abc import Iterator, Mapping

import jsonschema_rs
import orjson

from app.api.bounds import check_depth
from app.errors import FieldError, InvalidFieldError

# Largest size of a compiled pattern; compiling a larger pattern would block the event loop.
REGEX_BYTES = 65_536
_JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


class Conformance:
    """A compiled response schema that checks answers."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        """Compile the schema; raises InvalidFieldError if the schema is invalid."""
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES)
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            message = f"is not a JSON Schema: {str(error).splitlines()[0][:200]}{_case_hint(schema)}"
            raise InvalidFieldError(
                f"response_schema {message}.", errors=(FieldError("response_schema", message),)
            ) from None

    def parsed(self, text: str) -> object | None:
        """Return the text as JSON if it is whole, conforms, and can be written again; else None."""
        try:
            value: object = orjson.loads(text)
            # A deeply nested answer could not be written again.
            check_depth(value)
        except ValueError:
            return None
        return value if self._validator.is_valid(value) else None


def _case_hint(schema: Mapping[str, object]) -> str:
    """Return a remedy for Google's own schemas, which write types in upper case; else an empty string."""
    found = next((kind for kind in _kinds(schema) if kind.lower() in _JSON_TYPES and not kind.islower()), None)
    return "" if found is None else f". Write types in lower case: {found.lower()!r}, not {found!r}"


def _kinds(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(kind := node.get("type"), str):
            yield kind
        for child in node.values():
            yield from _kinds(child)
    elif isinstance(node, list):
        for child in node:
            yield from _kinds(child)
