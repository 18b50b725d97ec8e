"""One schema of a document, read for the names in it, and values cut to fit it.

This module knows JSON Schema and no task. References are followed and null choices skipped, so that `Optional[Item]` of
a generated schema reads as `Item`.
"""

from collections.abc import Mapping

from gemini_emulator.schemas.builder import Builder
from gemini_emulator.schemas.conjunction import Schema
from gemini_emulator.schemas.keywords import count_of, list_of, mapping_of, names_of, without
from gemini_emulator.schemas.references import resolve
from gemini_emulator.schemas.validity import is_valid

_MAX_STEPS = 16
_FILLER = "The emulator knows nothing of this."


class Outline:
    """A schema within its document. Its methods raise UnsupportedSchemaError for a malformed schema."""

    def __init__(self, root: Schema, schema: object) -> None:
        self._root = root
        self._schema = _looked_through(root, schema)
        self._properties: dict[str, Outline] = {}
        self._items: Outline | None = None
        self._fillers: dict[str, object] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The types that the schema names, null left out; none when it names none."""
        given = self._schema.get("type", [])
        kinds = given if isinstance(given, list) else [given]
        return frozenset(kind for kind in kinds if isinstance(kind, str)) - {"null"}

    @property
    def names(self) -> list[str]:
        """The names of an object's properties, in the order in which they are to be written."""
        properties = mapping_of(self._schema, "properties")
        first = [name for name in names_of(self._schema, "propertyOrdering") if name in properties]
        return list(dict.fromkeys([*first, *properties]))

    @property
    def members(self) -> list[object] | None:
        """The values that an enum or a constant allows; None when the schema has neither."""
        if "const" in self._schema:
            return [self._schema["const"]]
        return list_of(self._schema, "enum") if "enum" in self._schema else None

    @property
    def is_array(self) -> bool:
        """Whether the schema is that of an array whose items it describes."""
        return self.kinds <= {"array"} and isinstance(self._schema.get("items"), Mapping)

    def has(self, *names: str) -> bool:
        """Return whether an object has all these properties."""
        return set(names) <= mapping_of(self._schema, "properties").keys()

    def property(self, name: str) -> "Outline":
        """Return the schema of a property; for an unknown property, a schema that allows everything."""
        if name not in self._properties:
            schema = mapping_of(self._schema, "properties").get(name, {})
            self._properties[name] = Outline(self._root, schema)
        return self._properties[name]

    def items(self) -> "Outline":
        """Return the schema of an array's items."""
        if self._items is None:
            self._items = Outline(self._root, self._schema.get("items", {}))
        return self._items

    def allows(self, value: object) -> bool:
        """Return whether a value satisfies the schema itself."""
        return is_valid({**self._schema, "$defs": self._root.get("$defs", {})}, value)

    def fit(self, value: object) -> object:
        """Cut a value to fit.

        An object keeps the schema's properties, in the schema's order, and missing required properties are invented;
        arrays and strings are cut to the schema's length.
        """
        if isinstance(value, Mapping):
            return self._fit_object(value)
        if isinstance(value, list):
            return [self.items().fit(item) for item in value[: count_of(self._schema, "maxItems")]]
        if isinstance(value, str):
            return value[: count_of(self._schema, "maxLength")]
        return value

    def _fit_object(self, value: Mapping[str, object]) -> dict[str, object]:
        required = names_of(self._schema, "required")
        made: dict[str, object] = {}
        for name in dict.fromkeys([*self.names, *required]):
            if name in value:
                made[name] = self.property(name).fit(value[name])
            elif name in required:
                made[name] = self._filler(name)
        return made

    def _filler(self, name: str) -> object:
        if name not in self._fillers:
            self._fillers[name] = Builder(self._root, _FILLER).build(self.property(name)._schema)
        return self._fillers[name]


def _looked_through(root: Schema, schema: object) -> Schema:
    """Follow references, and take the one choice beside null, as far as that goes."""
    for _ in range(_MAX_STEPS):
        if not isinstance(schema, Mapping):
            break
        reference = schema.get("$ref")
        keyword = next((name for name in ("anyOf", "oneOf", "allOf") if name in schema), None)
        if isinstance(reference, str):
            schema = _joined(resolve(root, reference), without(schema, "$ref"))
        elif keyword is not None:
            choices = [choice for choice in list_of(schema, keyword) if not _is_null(choice)]
            if len(choices) != 1:
                break
            schema = _joined(choices[0], without(schema, keyword))
        else:
            break
    return schema if isinstance(schema, Mapping) else {}


def _joined(inner: object, beside: Schema) -> object:
    return {**inner, **beside} if isinstance(inner, Mapping) else beside


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"
