import contextlib
import json
from typing import Literal

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator_tests.unit.schemas import Schema, as_openapi, json_schemas, openapi_schemas, wild_schemas
from gemini_emulator.conforming import UnsupportedSchemaError, conforming_value

TEXT = "The emulator says so."
UNHURRIED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def is_valid(schema: Schema, value: object) -> bool:
    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(value)


def value_for(schema: Schema, text: str = TEXT) -> object:
    return conforming_value(schema, dialect="json_schema", text=text)


def value_for_openapi(schema: Schema) -> object:
    return conforming_value(schema, dialect="openapi", text=TEXT)


@given(schema=json_schemas(), text=st.text(max_size=40))
@UNHURRIED
def test_the_value_satisfies_any_schema_that_can_be_satisfied(schema: Schema, text: str) -> None:
    value = value_for(schema, text)

    assert is_valid(schema, value)
    assert json.loads(json.dumps(value)) == value


@given(schema=wild_schemas(), dialect=st.sampled_from(["json_schema", "openapi"]))
@UNHURRIED
def test_any_schema_is_met_or_refused(schema: Schema, dialect: Literal["json_schema", "openapi"]) -> None:
    with contextlib.suppress(UnsupportedSchemaError):
        value = conforming_value(schema, dialect=dialect, text=TEXT)
        assert dialect == "openapi" or is_valid(schema, value)


@given(schema=openapi_schemas())
@UNHURRIED
def test_the_value_satisfies_the_same_schema_in_the_openapi_dialect(schema: Schema) -> None:
    value = value_for_openapi(as_openapi(schema))

    assert is_valid(schema, value)


@given(schema=json_schemas())
@UNHURRIED
def test_the_same_schema_gives_the_same_value(schema: Schema) -> None:
    assert json.dumps(value_for(schema)) == json.dumps(value_for(schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, TEXT),
        ({"type": "string"}, TEXT),
        ({"type": "string", "maxLength": 3}, "The"),
        ({"type": "string", "minLength": 30}, "The emulator says so.The emula"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 2.5}, 3),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "integer", "minimum": 2, "multipleOf": 5}, 5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"enum": ["low", "high"]}, "low"),
        ({"enum": ["low", 7], "type": "integer"}, 7),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}]}, [1, None]),
        ({"minimum": 4}, 4.0),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"key": 1}),
        ({"type": "object", "required": ["extra"], "additionalProperties": {"type": "null"}}, {"extra": None}),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1, "required": ["b"]}, {"b": TEXT}),
        ({"type": "object", "minProperties": 2, "additionalProperties": {"const": 0}}, {"key": 0, "key_2": 0}),
        ({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 3.5}]}, 3),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}], "type": "string"}, TEXT),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "boolean"}}}, True),
    ],
)
def test_the_simplest_value_is_chosen(schema: Schema, value: object) -> None:
    assert value_for(schema) == value


@pytest.mark.parametrize(
    "string_format",
    ["date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid", "json-pointer"],
)
def test_strings_have_their_format(string_format: str) -> None:
    schema: Schema = {"type": "string", "format": string_format}

    value = value_for(schema)

    assert is_valid(schema, value)
    assert not is_valid(schema, TEXT)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{4}$",
        r"^[A-Z]{2,5}\d+$",
        r"^(red|green|blue)$",
        r"^https?://[^\s/]+/",
        r"[\w.-]+@[\w-]+\.[a-z]{2,}",
        r"^(?:[01]\d|2[0-3]):[0-5]\d$",
        r"^[^a-zA-Z0-9]\.\*\x41\u0042$",
        r"^(?<year>\d{4})$",
        r"^\s*\S+?\s*$",
        r"^[\]\-\d]{3}$",
        r"^[-a]b[a-]$",
    ],
)
def test_strings_match_their_pattern(pattern: str) -> None:
    schema: Schema = {"type": "string", "pattern": pattern}

    assert is_valid(schema, value_for(schema))


def test_a_text_that_matches_the_pattern_already_is_kept() -> None:
    assert value_for({"type": "string", "pattern": "emulator"}) == TEXT


def test_a_pattern_is_repeated_until_the_string_is_long_enough() -> None:
    schema: Schema = {"type": "string", "pattern": "^[a-f]+$", "minLength": 40, "maxLength": 41}

    assert value_for(schema) == "a" * 40


def test_properties_stand_in_the_order_that_was_asked_for() -> None:
    schema: Schema = {
        "type": "object",
        "properties": {"a": {}, "b": {}, "c": {}, "d": {}},
        "propertyOrdering": ["c", "a", "unknown"],
    }

    value = value_for(schema)

    assert isinstance(value, dict)
    assert list(value) == ["c", "a", "b", "d"]


def test_recursion_ends_at_optional_properties() -> None:
    schema: Schema = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "parent": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "twin": {"$ref": "#/$defs/node"},
                },
                "required": ["name", "children", "parent"],
            }
        },
        "$ref": "#/$defs/node",
    }

    assert value_for(schema) == {"name": TEXT, "children": [], "parent": None}


def test_defs_that_all_refer_to_each_other_come_to_an_end() -> None:
    names = [f"d{number}" for number in range(12)]
    properties = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    schema: Schema = {
        "$defs": {name: {"type": "object", "properties": properties} for name in names},
        "$ref": "#/$defs/d0",
    }

    assert is_valid(schema, value_for(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "number", "exclusiveMinimum": 1, "maximum": 1},
        {"type": "string", "minLength": 2, "maxLength": 1},
        {"type": "string", "minLength": 10_000_000},
        {"type": "array", "minItems": 2, "maxItems": 1},
        {"type": "array", "minItems": 2, "prefixItems": [{}], "items": False},
        {"type": "array", "minItems": 1_000_000},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"type": "object", "minProperties": 1, "additionalProperties": False},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "string", "pattern": "^a$", "minLength": 2},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "^[]$"},
        {"type": "string", "pattern": "^(a{99999}){99999}$"},
        {"type": "string", "format": "date", "maxLength": 5},
        {"type": "integer", "enum": ["a", "b"]},
        {"enum": []},
        {"type": []},
        {"type": "text"},
        {"type": "integer", "minimum": "1"},
        {"properties": []},
        {"required": "a", "type": "object"},
        {"minItems": -1},
        {"not": {}},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"enum": [1]}, {"enum": [2]}]},
        {"$ref": "#"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": 7},
        {"$schema": "http://127.0.0.1:9/dialect"},
        {"anyOf": [{"$ref": "#"}, {"type": "integer", "minimum": 2, "maximum": 1}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"anyOf": [False, False]},
        {"type": "array", "minItems": float("inf")},
        {"type": "integer", "minimum": float("nan")},
        {"type": "number", "exclusiveMinimum": 10**400, "exclusiveMaximum": 10**401},
        {"allOf": [{"required": [{}]}, {"required": [[]]}]},
    ],
)
def test_a_schema_that_cannot_be_met_is_refused(schema: Schema) -> None:
    with pytest.raises(UnsupportedSchemaError):
        value_for(schema)


def nested(depth: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"inner": schema}, "required": ["inner"]}
    return schema


def test_thirty_levels_are_met() -> None:
    assert is_valid(nested(30), value_for(nested(30)))


@pytest.mark.parametrize("depth", [35, 50, 5_000])
@pytest.mark.parametrize("dialect", ["json_schema", "openapi"])
def test_schemas_nested_too_deeply_are_refused(depth: int, dialect: Literal["json_schema", "openapi"]) -> None:
    with pytest.raises(UnsupportedSchemaError):
        conforming_value(nested(depth), dialect=dialect, text=TEXT)


def test_a_hostile_pattern_costs_no_time() -> None:
    with pytest.raises(UnsupportedSchemaError):
        conforming_value({"type": "string", "pattern": "^(?=(a+)+$)b"}, dialect="json_schema", text="a" * 60 + "!")


def test_the_openapi_dialect_is_read_in_both_spellings() -> None:
    schema: Schema = {
        "type": "OBJECT",
        "properties": {
            "min_items": {"type": "ARRAY", "items": {"type": "INTEGER", "enum": ["3"]}, "min_items": "2"},
            "maybe": {"type": "STRING", "nullable": True, "maxLength": "3"},
            "either": {"any_of": [{"type": "NUMBER", "minimum": "1.5", "maximum": 1.75}]},
            "choice": {"type": "STRING", "format": "enum", "enum": ["yes", "no"]},
            "open": {"type": "TYPE_UNSPECIFIED"},
        },
        "property_ordering": ["maybe"],
        "required": ["maybe"],
        "example": {"not": "a schema"},
    }

    value = value_for_openapi(schema)

    assert isinstance(value, dict)
    assert next(iter(value)) == "maybe"
    assert value == {"maybe": "The", "min_items": [3, 3], "either": 1.5, "choice": "yes", "open": TEXT}


def test_definitions_of_the_openapi_dialect_are_followed() -> None:
    schema: Schema = {
        "type": "ARRAY",
        "nullable": True,
        "items": {"ref": "#/defs/Point"},
        "defs": {"Point": {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}}},
    }

    assert value_for_openapi(schema) == [{"x": 1}]
