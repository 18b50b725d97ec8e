"""Two JSON Schemas that must both hold, as one. Knows nothing of values.

Keywords that cannot be merged (two references, two choices) are moved into `allOf`, to be met one after another.
"""

from collections.abc import Callable, Mapping

from gemini_emulator.schemas.errors import UnsupportedSchemaError

Schema = Mapping[str, object]

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$comment", "$id", "$schema", "$defs"})
_APART = frozenset({"$ref", "anyOf", "oneOf"})
_GREATER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_LESSER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})


def conjunction(one: Schema, other: Schema) -> Schema:
    """Return a schema for exactly the values that both schemas allow.

    Raises:
        UnsupportedSchemaError: when two keywords cannot be joined (two patterns, say), or leave nothing.

    """
    joined: dict[str, object] = dict(one)
    for keyword, value in other.items():
        if keyword not in joined or joined[keyword] == value or keyword in _ANNOTATIONS:
            joined[keyword] = value
        elif keyword in _APART:
            joined["allOf"] = [*_list(joined.get("allOf")), {keyword: value}]
        elif keyword == "allOf":
            joined["allOf"] = [*_list(joined["allOf"]), *_list(value)]
        else:
            joined[keyword] = _join(keyword, joined[keyword], value)
    return joined


def _join(keyword: str, one: object, other: object) -> object:
    if keyword in _GREATER or keyword in _LESSER:
        return _extreme(keyword, one, other)
    join = _JOINTS.get(keyword)
    if join is None:
        raise UnsupportedSchemaError(f"two different values of {keyword!r} apply to one value")
    return join(one, other)


def _extreme(keyword: str, one: object, other: object) -> object:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        raise UnsupportedSchemaError(f"{keyword!r} must be a number")
    return max(one, other) if keyword in _GREATER else min(one, other)


def _join_types(one: object, other: object) -> object:
    first, second = (kinds if isinstance(kinds, list) else [kinds] for kinds in (one, other))
    common = [kind for kind in first if kind in second]
    if "integer" not in common and (
        ("integer" in first and "number" in second) or ("number" in first and "integer" in second)
    ):
        common.append("integer")
    if not common:
        raise UnsupportedSchemaError(f"no value is both {one} and {other}")
    return common


def _join_members(one: object, other: object) -> object:
    common = [member for member in _list(one) if member in _list(other)]
    if not common:
        raise UnsupportedSchemaError("two enums have no member in common")
    return common


def _join_names(one: object, other: object) -> object:
    names = _list(one)
    return [*names, *(name for name in _list(other) if name not in names)]


def _join_properties(one: object, other: object) -> object:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        raise UnsupportedSchemaError("'properties' must be an object")
    joined = dict(one)
    for name, schema in other.items():
        joined[name] = _join_schemas(joined[name], schema) if name in joined else schema
    return joined


def _join_schemas(one: object, other: object) -> object:
    if one is True or other is False:
        return other
    if other is True or one is False:
        return one
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        raise UnsupportedSchemaError("a schema must be an object or a boolean")
    return conjunction(one, other)


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnsupportedSchemaError("a list is expected in the schema")
    return value


_JOINTS: Mapping[str, Callable[[object, object], object]] = {
    "type": _join_types,
    "enum": _join_members,
    "required": _join_names,
    "propertyOrdering": _join_names,
    "properties": _join_properties,
    "items": _join_schemas,
    "additionalProperties": _join_schemas,
}
