"""Random schemas that some value satisfies, and the same in Gemini's OpenAPI dialect."""

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

_NAMES = st.sampled_from(["id", "name", "größe", "a/b", "box_2d", "min_items", "$x"])
_PATTERNS = [r"^\d{3}$", r"^[A-Z][a-z]+$", r"^(on|off)$", r"^#[0-9a-f]{6}$", r"x+y?"]
_FORMATS = ["date-time", "date", "time", "duration", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"]
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5))


@st.composite
def _numbers(draw: st.DrawFn) -> Schema:
    kind = draw(st.sampled_from(["integer", "number"]))
    low = draw(st.integers(-1000, 1000))
    high = low + draw(st.integers(3, 2000))
    schema: Schema = {"type": kind}
    schema |= draw(
        st.sampled_from([{}, {"minimum": low}, {"exclusiveMinimum": low + 0.5 if kind == "number" else low}])
    )
    schema |= draw(st.sampled_from([{}, {"maximum": high}, {"exclusiveMaximum": high}]))
    return schema


@st.composite
def _narrow_numbers(draw: st.DrawFn) -> Schema:
    low = draw(st.floats(-5, 5))
    return {"type": "number", "minimum": low, "maximum": low + draw(st.floats(0.001, 0.5))}


@st.composite
def _strings(draw: st.DrawFn) -> Schema:
    shortest = draw(st.integers(0, 50))
    return draw(
        st.sampled_from(
            [
                {"type": "string"},
                {"type": "string", "minLength": shortest},
                {"type": "string", "maxLength": shortest},
                {"type": "string", "minLength": shortest, "maxLength": shortest + 3},
                {"type": "string", "pattern": _PATTERNS[shortest % len(_PATTERNS)]},
                {"type": "string", "format": _FORMATS[shortest % len(_FORMATS)]},
            ]
        )
    )


def _leaves() -> st.SearchStrategy[Schema]:
    return st.one_of(
        _numbers(),
        _narrow_numbers(),
        _strings(),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.lists(_SCALARS, min_size=1, max_size=4, unique_by=repr).map(lambda members: {"enum": members}),
        _SCALARS.map(lambda value: {"const": value}),
        st.just({"type": ["null", "integer"], "minimum": 5}),
        st.just({}),
    )


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(_NAMES, inner, max_size=4))
    schema: Schema = {"type": "object", "properties": properties}
    if properties:
        schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
        schema["propertyOrdering"] = draw(st.permutations(sorted(properties)))
    schema |= draw(
        st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}])
    )
    return schema


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    least = draw(st.integers(0, 3))
    schema: Schema = {"type": "array", "items": draw(inner), "minItems": least}
    return schema | draw(st.sampled_from([{}, {"maxItems": least}, {"maxItems": least + 2}]))


@st.composite
def _tuples(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    return {"type": "array", "prefixItems": draw(st.lists(inner, min_size=1, max_size=3)), "items": False}


def _choices(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches})


def _references(names: list[str]) -> st.SearchStrategy[Schema]:
    """References that may be left out or be null, so that recursion can end."""
    reference = st.sampled_from(names).map(lambda name: {"$ref": f"#/$defs/{name}"})
    return st.one_of(
        reference.map(lambda schema: {"type": "array", "items": schema}),
        reference.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
        reference.map(lambda schema: {"type": "object", "properties": {"maybe": schema}}),
    )


@st.composite
def json_schemas(draw: st.DrawFn) -> Schema:
    """JSON Schemas of every keyword that is honoured, with definitions that may refer to each other and themselves."""
    names = ["one", "two"]
    leaves = st.one_of(_leaves(), _references(names))
    schemas = st.recursive(
        leaves, lambda inner: st.one_of(_objects(inner), _arrays(inner), _tuples(inner), _choices(inner)), max_leaves=8
    )
    return {**draw(schemas), "$defs": {name: draw(schemas) for name in names}}


def openapi_schemas() -> st.SearchStrategy[Schema]:
    """JSON Schemas that the OpenAPI dialect can express too."""
    leaves = st.one_of(
        _narrow_numbers(),
        _strings(),
        st.just({"type": "boolean"}),
        st.just({"type": ["string", "null"]}),
        st.just({"type": "string", "enum": ["x", "y"]}),
        st.just({"type": "integer", "enum": [4, 5]}),
    )
    return st.recursive(leaves, lambda inner: st.one_of(_objects(inner), _arrays(inner), _choices(inner)), max_leaves=8)


def as_openapi(schema: Schema) -> Schema:
    """Write a schema as the SDKs do: capitals, `nullable`, counts and numeric enums as strings."""
    written: Schema = {}
    for keyword, value in schema.items():
        match keyword:
            case "type" if isinstance(value, list):
                written |= {"type": value[0].upper(), "nullable": True}
            case "type":
                written["type"] = value.upper()
            case "properties":
                written["properties"] = {name: as_openapi(inner) for name, inner in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                written[keyword] = as_openapi(value)
            case "anyOf":
                written["anyOf"] = [as_openapi(branch) for branch in value]
            case "minItems" | "maxItems" | "minLength" | "maxLength":
                written[keyword] = str(value)
            case "enum":
                written["enum"] = [str(member) for member in value]
            case _:
                written[keyword] = value
    return written


def wild_schemas() -> st.SearchStrategy[Schema]:
    """Objects that use the keywords with any value, mostly in vain."""
    keywords = st.sampled_from(
        [
            "type",
            "properties",
            "required",
            "propertyOrdering",
            "items",
            "prefixItems",
            "enum",
            "const",
            "anyOf",
            "oneOf",
            "allOf",
            "not",
            "$ref",
            "$defs",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "multipleOf",
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "minProperties",
            "maxProperties",
            "format",
            "pattern",
            "nullable",
            "additionalProperties",
            "a",
        ]
    )
    words = st.sampled_from(
        ["string", "INTEGER", "object", "array", "null", "#", "#/$defs/a", "^a+$", "(", "date", "a"]
    )
    numbers = st.one_of(st.integers(-3, 9), st.floats(), st.just(10**400))
    return st.dictionaries(
        keywords,
        st.recursive(
            st.one_of(words, numbers, st.booleans(), st.none()),
            lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keywords, inner, max_size=3)),
            max_leaves=6,
        ),
        min_size=1,
        max_size=4,
    )
