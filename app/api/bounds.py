"""Bounds on the cost of a client's JSON: number of values, depth, and the work of checking against a schema.

A limit in bytes does not limit objects: nineteen megabytes of `{}` are gigabytes after parsing. The checks here are
linear and run before any costlier step.
"""

from collections.abc import Iterator, Mapping

import orjson

MAX_VALUES = 50_000
MAX_DEPTH = 64
MAX_SCHEMA_BYTES = 65_536
MAX_PATTERNS = 50
MAX_PATTERN_CHARS = 500
MAX_EXPANSION = 10_000
_FOREIGN = frozenset({"$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor"})


def check_values(text: bytes | bytearray) -> None:
    """Refuse JSON text with too many values, counted by the characters that begin them; raises ValueError."""
    # Counting characters also counts those inside strings, which errs on the safe side.
    found = text.count(b"{") + text.count(b"[") + text.count(b'":') + text.count(b'","')
    if found > MAX_VALUES:
        raise ValueError(f"has more than {MAX_VALUES} values; send long text as a text file")


def check_depth(value: object) -> None:
    """Refuse JSON that is nested too deeply; raises ValueError."""
    # Level by level instead of recursively, so that deep input cannot exhaust the stack.
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise ValueError(f"is nested more than {MAX_DEPTH} levels deep")


def _children(item: object) -> Iterator[object]:
    if isinstance(item, dict):
        yield from item.values()
    elif isinstance(item, list):
        yield from item


def check_schema(schema: Mapping[str, object]) -> None:
    """Refuse a schema that is too costly to compile or to check an answer against; raises ValueError."""
    check_depth(schema)
    if len(orjson.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise ValueError(f"must be at most {MAX_SCHEMA_BYTES} bytes of JSON")
    # References to other documents would be fetched or resolved by name; only local pointers stay.
    nodes = list(_walk(schema))
    for node in nodes:
        if any(isinstance(node.get(name), str) for name in _FOREIGN):
            raise ValueError("may refer only to parts of itself, as #/$defs/name")
        if isinstance(ref := node.get("$ref"), str) and ref != "#" and not ref.startswith("#/"):
            raise ValueError("may refer only to parts of itself, as #/$defs/name")
    patterns = [node["pattern"] for node in nodes if isinstance(node.get("pattern"), str)]
    patterns += [name for node in nodes for name in _names(node.get("patternProperties"))]
    if len(patterns) > MAX_PATTERNS or any(len(str(one)) > MAX_PATTERN_CHARS for one in patterns):
        raise ValueError(f"may have at most {MAX_PATTERNS} patterns of {MAX_PATTERN_CHARS} characters")
    if _Expansion(schema).of(schema) > MAX_EXPANSION:
        raise ValueError("repeats itself through $ref too often to check")


def _names(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _walk(value: object) -> Iterator[dict[str, object]]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
        pending.extend(_children(item))


class _Expansion:
    """Counts the schemas that may apply at one place of an answer; each reference counts with all that it leads to."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._known: dict[int, int] = {}

    def of(self, node: object) -> int:
        """Return the number of schemas that a schema leads to; a circular reference ends the count."""
        if not isinstance(node, dict | list):
            return 0
        if id(node) in self._known:
            return self._known[id(node)]
        self._known[id(node)] = 1
        total = 1
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            if name == "$ref" and isinstance(child, str):
                total += self.of(self._target(child))
            else:
                total += self.of(child)
            total = min(total, MAX_EXPANSION + 1)
        self._known[id(node)] = total
        return total

    def _target(self, ref: str) -> object:
        target: object = self._root
        for piece in ref.split("/")[1:]:
            name = piece.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(name)
            elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            else:
                return None
        return target
