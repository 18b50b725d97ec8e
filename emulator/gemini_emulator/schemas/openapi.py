"""Gemini's OpenAPI subset (`responseSchema`), rewritten as JSON Schema.

Types lose their capitals, `nullable` becomes a type, numbers sent as strings (proto3's int64) become numbers, and
names are taken in both spellings (`minItems`, `min_items`). Knows nothing of values.
"""

from collections.abc import Mapping

_CAMEL = {
    "any_of": "anyOf",
    "prefix_items": "prefixItems",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "property_ordering": "propertyOrdering",
    "additional_properties": "additionalProperties",
    "defs": "$defs",
    "ref": "$ref",
}
_NUMBERS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum"}
)
_DROPPED = frozenset({"nullable", "default", "example", "title", "description"})


def to_json_schema(schema: Mapping[str, object]) -> dict[str, object]:
    """Rewrite an OpenAPI schema and all below it; malformed parts stay, for the reader of the result to refuse."""
    plain: dict[str, object] = {}
    for spelling, value in schema.items():
        keyword = _CAMEL.get(spelling, spelling)
        if keyword not in _DROPPED:
            plain[keyword] = _rewrite(keyword, value)
    if plain.get("type") == "type_unspecified":
        del plain["type"]
    if plain.get("format") == "enum":
        del plain["format"]
    members = plain.get("enum")
    if plain.get("type") in ("integer", "number") and isinstance(members, list):
        plain["enum"] = [_number(member) for member in members]
    return _nullable(plain) if schema.get("nullable") is True else plain


def _rewrite(keyword: str, value: object) -> object:
    if keyword in {"items", "additionalProperties"}:
        return _rewrite_schema(value)
    if keyword in {"properties", "$defs"} and isinstance(value, Mapping):
        return {name: _rewrite_schema(schema) for name, schema in value.items()}
    if keyword in {"anyOf", "prefixItems"} and isinstance(value, list):
        return [_rewrite_schema(schema) for schema in value]
    if keyword in {"type", "$ref"} and isinstance(value, str):
        return value.lower() if keyword == "type" else value.replace("#/defs/", "#/$defs/", 1)
    return _number(value) if keyword in _NUMBERS else value


def _rewrite_schema(value: object) -> object:
    return to_json_schema(value) if isinstance(value, Mapping) else value


def _number(value: object) -> object:
    """Read a number that may be written as a string; integral ones become integers."""
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(value) if value.lstrip("-").isdigit() else number


def _nullable(plain: dict[str, object]) -> dict[str, object]:
    """Return the schema with null allowed too."""
    return {"anyOf": [plain, {"type": "null"}], "$defs": plain.pop("$defs", {})}
