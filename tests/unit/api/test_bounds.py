"""Bounds on a client's JSON: refused before it is parsed, compiled or used for validation."""

import pytest

from app.api.bounds import MAX_DEPTH, MAX_VALUES, check_depth, check_schema, check_values


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": [value]} if levels % 2 else {"a": value}
    return value


@pytest.mark.parametrize("piece", [b"{},", b"[],", b'"a":1,', b'"a","b",'])
def test_too_many_values_of_any_type_are_refused(piece: bytes) -> None:
    check_values(piece * 100)

    with pytest.raises(ValueError, match="more than"):
        check_values(piece * (MAX_VALUES + 1))


def test_long_text_and_base64_are_not_many_values() -> None:
    check_values(b'{"text": "' + b"Some words, and then some more. " * 500_000 + b'"}')


def test_too_deep_json_is_refused() -> None:
    check_depth(nested(MAX_DEPTH - 2))

    with pytest.raises(ValueError, match="nested"):
        check_depth(nested(MAX_DEPTH + 2))


def test_a_recursive_schema_is_fine() -> None:
    check_schema(
        {
            "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}},
            "$ref": "#/$defs/tree",
        }
    )


def test_references_that_multiply_are_refused() -> None:
    defs = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(29)}

    with pytest.raises(ValueError, match="repeats itself"):
        check_schema({"$defs": {**defs, "a29": {"type": "integer"}}, "$ref": "#/$defs/a0"})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://example.com/schema.json"},
        {"$ref": "other.json"},
        {"$id": "http://example.com/", "type": "object"},
        {"$defs": {"a": {"$anchor": "x"}}, "$ref": "#x"},
    ],
)
def test_references_to_elsewhere_are_refused(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="refer only"):
        check_schema(schema)


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    check_schema({"type": "object", "properties": {"id": {"type": "string"}, "$ref": {"type": "string"}}})


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {f"p{n}": {"pattern": "a"} for n in range(60)}},
        {"pattern": "a" * 501},
        {"patternProperties": {f"^{n}$": {} for n in range(60)}},
        {"enum": ["a" * 70_000]},
    ],
)
def test_a_costly_schema_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="at most"):
        check_schema(schema)
