"""Reading the keywords of a JSON Schema, malformed ones refused. Knows nothing of values."""

from collections.abc import Mapping

from gemini_emulator.schemas.conjunction import Schema
from gemini_emulator.schemas.errors import UnsupportedSchemaError
from gemini_emulator.schemas.numbers import Number

# Beyond it, arithmetic with floats overflows.
_LARGEST = 1e300


def without(schema: Schema, keyword: str) -> dict[str, object]:
    """Leave out one keyword."""
    return {name: value for name, value in schema.items() if name != keyword}


def mapping_of(schema: Schema, keyword: str) -> Mapping[str, object]:
    """Read an object, such as `properties`; an empty one when it is not there."""
    value = schema.get(keyword, {})
    if not isinstance(value, Mapping):
        raise UnsupportedSchemaError(f"{keyword!r} must be an object")
    return value


def list_of(schema: Schema, keyword: str) -> list[object]:
    """Read a list of schemas or values that must be there."""
    value = schema[keyword]
    if not isinstance(value, list) or not value:
        raise UnsupportedSchemaError(f"{keyword!r} must be a list that is not empty")
    return value


def names_of(schema: Schema, keyword: str) -> list[str]:
    """Read a list of property names; an empty one when it is not there."""
    value = schema.get(keyword, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UnsupportedSchemaError(f"{keyword!r} must be a list of strings")
    return value


def count_of(schema: Schema, keyword: str) -> int | None:
    """Read a number of items, characters or properties; None when it is not there."""
    value = bound_of(schema, keyword)
    if value is not None and (value < 0 or value != int(value)):
        raise UnsupportedSchemaError(f"{keyword!r} must be a natural number")
    return None if value is None else int(value)


def bound_of(schema: Schema, keyword: str) -> Number | None:
    """Read a number; None when it is not there."""
    value = schema.get(keyword)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UnsupportedSchemaError(f"{keyword!r} must be a number")
    if value is not None and not -_LARGEST <= value <= _LARGEST:
        raise UnsupportedSchemaError(f"{keyword!r} is too large")
    return value
