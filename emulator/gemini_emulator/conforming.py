"""A value that satisfies a schema, the same for the same schema and text.

    schema -> JSON Schema -> value, keyword by keyword -> checked by a validator

The check at the end covers the keywords that the builder does not honour: a value that fails is never returned. This
module knows nothing of prompts, requests and answers.
"""

from collections.abc import Mapping
from typing import Literal

from gemini_emulator.schemas.builder import Builder
from gemini_emulator.schemas.errors import OversizedSchemaError, UnsupportedSchemaError
from gemini_emulator.schemas.openapi import to_json_schema
from gemini_emulator.schemas.validity import is_valid

__all__ = ["UnsupportedSchemaError", "conforming_value", "json_schema_of"]

_MAX_CONTAINERS = 80

Dialect = Literal["json_schema", "openapi"]
"""`json_schema` for `responseJsonSchema`, `openapi` for `responseSchema`."""


def json_schema_of(schema: Mapping[str, object], dialect: Dialect) -> Mapping[str, object]:
    """Return a schema as JSON Schema.

    Raises:
        UnsupportedSchemaError: when it is nested too deeply.

    """
    _refuse_if_deep(schema)
    return to_json_schema(schema) if dialect == "openapi" else schema


def conforming_value(schema: Mapping[str, object], *, dialect: Dialect, text: str) -> object:
    """Make a value that satisfies a schema; optional properties are filled too, unless they would never end.

    Args:
        schema: the schema, as parsed from JSON.
        dialect: the schema's dialect.
        text: the content of strings that the schema leaves free, cut or padded to fit.

    Returns:
        A value for `json.dumps`: objects in the order of `propertyOrdering`, then of declaration.

    Raises:
        UnsupportedSchemaError: when no value was found: contradictions, patterns that cannot be met, references to
            other documents, more than 32 levels, keywords that are not honoured and happen not to hold.

    """
    plain = json_schema_of(schema, dialect)
    speakable = text.encode("utf-8", "replace").decode("utf-8")
    try:
        value = Builder(plain, speakable).build(plain, 0, frozenset())
    except OversizedSchemaError as error:
        raise UnsupportedSchemaError(str(error)) from error
    if not is_valid(plain, value):
        raise UnsupportedSchemaError("the schema uses keywords that cannot be honoured here")
    return value


def _refuse_if_deep(schema: object) -> None:
    level: list[object] = [schema]
    for _ in range(_MAX_CONTAINERS):
        inside: list[object] = []
        for container in level:
            if isinstance(container, Mapping):
                inside.extend(container.values())
            elif isinstance(container, list):
                inside.extend(container)
        level = [value for value in inside if isinstance(value, Mapping | list)]
        if not level:
            return
    raise UnsupportedSchemaError("the schema is nested too deeply")
