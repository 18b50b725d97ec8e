"""A value for a schema, built from the root down, keyword by keyword. Knows one dialect: JSON Schema."""

from collections.abc import Mapping

from gemini_emulator.schemas.conjunction import Schema, conjunction
from gemini_emulator.schemas.errors import EndlessSchemaError, OversizedSchemaError, UnsupportedSchemaError
from gemini_emulator.schemas.keywords import bound_of, count_of, list_of, mapping_of, names_of, without
from gemini_emulator.schemas.numbers import Number, Range, integer_in, number_in
from gemini_emulator.schemas.references import resolve
from gemini_emulator.schemas.strings import write_string
from gemini_emulator.schemas.validity import is_valid

_MAX_DEPTH = 32
_MAX_STEPS = 20_000
_STEPS_FOR_OPTIONAL = 2_000

_OBJECT_KEYWORDS = frozenset({"properties", "required", "additionalProperties", "minProperties", "maxProperties"})
_ARRAY_KEYWORDS = frozenset({"items", "prefixItems", "minItems", "maxItems"})
_NUMBER_KEYWORDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_MEMBER_KEYWORDS = _NUMBER_KEYWORDS | {"type", "enum", "const", "format", "pattern", "minLength", "maxLength"}


class Builder:
    """Builds values for one document; `refs` are the references being followed on the way to here.

    A reference is not followed inside itself, so that recursion ends. Steps are counted, so that no value grows beyond
    bounds: after many steps, optional members are left out.
    """

    def __init__(self, root: Schema, text: str) -> None:
        self._root = root
        self._text = text
        self._steps = 0

    def build(self, schema: object, depth: int = 0, refs: frozenset[str] = frozenset()) -> object:
        """Build a value for a schema of the document, `depth` levels below its root.

        Raises:
            UnsupportedSchemaError: when no value was found.
            OversizedSchemaError: when the value would be too deep or too large.

        """
        self._steps += 1
        if depth > _MAX_DEPTH or self._steps > _MAX_STEPS:
            raise OversizedSchemaError("the schema is nested too deeply, or its smallest value is too large")
        if schema is True:
            return self._text
        if not isinstance(schema, Mapping):
            raise UnsupportedSchemaError("nothing satisfies this schema" if schema is False else "malformed schema")
        if "$ref" in schema:
            return self._referred(schema, depth, refs)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._chosen(schema, keyword, depth, refs)
        if "allOf" in schema:
            first, *others = list_of(schema, "allOf")
            rest = without(schema, "allOf") | ({"allOf": others} if others else {})
            return self.build(_both(rest, first), depth, refs)
        if "const" in schema or "enum" in schema:
            return _member(schema)
        return self._typed(schema, depth, refs)

    def _referred(self, schema: Schema, depth: int, refs: frozenset[str]) -> object:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise UnsupportedSchemaError("'$ref' must be a string")
        if reference in refs:
            raise EndlessSchemaError(f"{reference} needs itself")
        target = resolve(self._root, reference)
        return self.build(_both(without(schema, "$ref"), target), depth, refs | {reference})

    def _chosen(self, schema: Schema, keyword: str, depth: int, refs: frozenset[str]) -> object:
        """Return a value for the first branch that can be met; null only if no other branch can."""
        rest = without(schema, keyword)
        branches = sorted(list_of(schema, keyword), key=_is_null)
        failures: list[UnsupportedSchemaError] = []
        for branch in branches:
            try:
                return self.build(_both(rest, branch), depth, refs)
            except UnsupportedSchemaError as error:
                failures.append(error)
        endless = [failure for failure in failures if isinstance(failure, EndlessSchemaError)]
        raise (endless or failures)[0]

    def _typed(self, schema: Schema, depth: int, refs: frozenset[str]) -> object:
        failures: list[UnsupportedSchemaError] = []
        for kind in _types(schema):
            try:
                return self._of_type(kind, schema, depth, refs)
            except UnsupportedSchemaError as error:
                failures.append(error)
        endless = [failure for failure in failures if isinstance(failure, EndlessSchemaError)]
        raise (endless or failures)[0]

    def _of_type(self, kind: object, schema: Schema, depth: int, refs: frozenset[str]) -> object:
        match kind:
            case "object":
                return self._object(schema, depth, refs)
            case "array":
                return self._array(schema, depth, refs)
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return _number(schema, is_integer=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                raise UnsupportedSchemaError(f"unknown type {kind!r}")

    def _object(self, schema: Schema, depth: int, refs: frozenset[str]) -> object:
        properties = mapping_of(schema, "properties")
        required = names_of(schema, "required")
        others = schema.get("additionalProperties", True)
        most = count_of(schema, "maxProperties")
        optional_room = len(properties) + 1 if most is None else most - len(set(required))
        made: dict[str, object] = {}
        for name in _ordered(schema, properties):
            if name in required:
                made[name] = self.build(properties[name], depth + 1, refs)
            elif optional_room > 0 and self._add_if_it_ends(made, name, properties[name], depth, refs):
                optional_room -= 1
        for name in required:
            if name not in properties:
                made[name] = self.build(others, depth + 1, refs)
        if not made and not properties and isinstance(others, Mapping) and optional_room > 0:
            self._add_if_it_ends(made, "key", others, depth, refs)
        for number in range(len(made) + 1, (count_of(schema, "minProperties") or 0) + 1):
            made[f"key_{number}"] = self.build(others, depth + 1, refs)
        return made

    def _add_if_it_ends(
        self, made: dict[str, object], name: str, schema: object, depth: int, refs: frozenset[str]
    ) -> bool:
        """Fill an optional property, unless it would never end or too much is filled already."""
        if self._steps > _STEPS_FOR_OPTIONAL:
            return False
        try:
            made[name] = self.build(schema, depth + 1, refs)
        except EndlessSchemaError:
            return False
        return True

    def _array(self, schema: Schema, depth: int, refs: frozenset[str]) -> object:
        prefix = list_of(schema, "prefixItems") if "prefixItems" in schema else []
        items = schema.get("items", True)
        least, wanted = _lengths(schema, len(prefix))
        made: list[object] = []
        for index in range(wanted):
            if index >= least and self._steps > _STEPS_FOR_OPTIONAL:
                break
            try:
                made.append(self.build(prefix[index] if index < len(prefix) else items, depth + 1, refs))
            except EndlessSchemaError:
                if index < least:
                    raise
                break
        return made

    def _string(self, schema: Schema) -> str:
        string_format, pattern = schema.get("format", ""), schema.get("pattern")
        if not isinstance(string_format, str) or not isinstance(pattern, str | None):
            raise UnsupportedSchemaError("'format' and 'pattern' must be strings")
        written = write_string(
            text=self._text,
            string_format=string_format,
            pattern=pattern,
            shortest=count_of(schema, "minLength") or 0,
            longest=count_of(schema, "maxLength"),
        )
        if written is None:
            raise UnsupportedSchemaError(f"no string found for {_demands(schema)}")
        return written


def _lengths(schema: Schema, prefix_length: int) -> tuple[int, int]:
    """Return the least and the preferred number of an array's items; an empty array is avoided."""
    least, most = count_of(schema, "minItems") or 0, count_of(schema, "maxItems")
    has_free_items = schema.get("items", prefix_length == 0) is not False
    wanted = max(least, prefix_length, 1 if has_free_items else 0)
    if most is not None and most < least:
        raise UnsupportedSchemaError("minItems is more than maxItems")
    return least, wanted if most is None else min(wanted, most)


def _number(schema: Schema, *, is_integer: bool) -> Number:
    bounds = Range(
        at_least=bound_of(schema, "minimum"),
        above=bound_of(schema, "exclusiveMinimum"),
        at_most=bound_of(schema, "maximum"),
        below=bound_of(schema, "exclusiveMaximum"),
        step=bound_of(schema, "multipleOf"),
    )
    number = integer_in(bounds) if is_integer else number_in(bounds)
    if number is None:
        raise UnsupportedSchemaError(f"no number found for {_demands(schema)}")
    return number


def _member(schema: Schema) -> object:
    """Return the first member of an enum, or the constant, that the other keywords allow."""
    if "const" in schema:
        members: list[object] = [schema["const"]]
    else:
        members = list_of(schema, "enum")
    demands = {keyword: schema[keyword] for keyword in schema if keyword in _MEMBER_KEYWORDS}
    for member in members:
        if is_valid(demands, member):
            return member
    raise UnsupportedSchemaError("no member of the enum satisfies the rest of the schema")


def _types(schema: Schema) -> list[object]:
    """List the types to try, null last; without a type, the one that the other keywords speak of."""
    given = schema.get("type")
    if given is not None:
        kinds: list[object] = given if isinstance(given, list) else [given]
        if not kinds:
            raise UnsupportedSchemaError("an empty list of types")
        return sorted(kinds, key=lambda kind: kind == "null")
    for kind, keywords in (("object", _OBJECT_KEYWORDS), ("array", _ARRAY_KEYWORDS), ("number", _NUMBER_KEYWORDS)):
        if keywords & schema.keys():
            return [kind]
    return ["string"]


def _both(rest: Schema, other: object) -> object:
    if other is True or other is False:
        return rest if other else False
    if not isinstance(other, Mapping):
        raise UnsupportedSchemaError("a schema must be an object or a boolean")
    return conjunction(rest, other)


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _ordered(schema: Schema, properties: Mapping[str, object]) -> list[str]:
    first = [name for name in names_of(schema, "propertyOrdering") if name in properties]
    return list(dict.fromkeys([*first, *properties]))


def _demands(schema: Schema) -> str:
    return ", ".join(f"{name} {schema[name]!r:.100}" for name in sorted(schema.keys() & _MEMBER_KEYWORDS))
