"""Parsed JSON becomes a message: names in camelCase, values of the right type, or a 400 that names each mistake.

    JSON ── orjson ──> tree ── blobs.lift ──> tree with media decoded ── parse ──> message

It knows grammars, no particular message.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import cast

import orjson

from gemini_emulator.failures import bad_request
from gemini_emulator.proto.blobs import Blob, decode_base64
from gemini_emulator.proto.kinds import Enumeration, Kind, MapOf, Message, Repeated, Scalar

_MAX_VIOLATIONS = 50
_MAX_DEPTH = 100
_DURATION = re.compile(r"-?\d{1,12}(?:\.\d{1,9})?s")
_INTEGER = re.compile(r"-?\d{1,19}")
_TYPE_PREFIX = "type.googleapis.com/google.ai.generativelanguage.v1beta."
_INT_LIMITS = {Scalar.INT32: 2**31, Scalar.INT64: 2**63}
_UNFIT = object()


def parse(kind: Message, value: object) -> dict[str, object]:
    """Read a tree as a message; fields that are null are as if they were not there.

    Raises ApiFailureError with a `BadRequest` that has one violation for each unknown name and each wrong value.
    """
    walk = _Walk()
    if not isinstance(value, dict):
        walk.complain("", "Invalid JSON payload received. Root element must be a message.")
    parsed = walk.message(kind, value, "") if isinstance(value, dict) else {}
    if walk.violations:
        raise bad_request(walk.violations)
    return parsed


class _Walk:
    """One pass over a tree, which collects its errors."""

    def __init__(self) -> None:
        self.violations: list[tuple[str, str]] = []
        self._depth = 0

    def complain(self, field: str, description: str) -> None:
        if len(self.violations) < _MAX_VIOLATIONS:
            self.violations.append((field, description))

    def message(self, kind: Message, value: Mapping[str, object], path: str) -> dict[str, object]:
        parsed: dict[str, object] = {}
        chosen = ""
        for name, item in value.items():
            entry = kind.fields.get(name)
            if entry is None:
                place = f" at '{path}'" if path else ""
                self.complain(
                    path,
                    f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.',
                )
                continue
            if item is None:
                continue
            camel, snake, inner = entry
            here = f"{path}.{snake}" if path else snake
            if camel in parsed:
                self.complain(here, f"Invalid value at '{here}', field '{name}' is already set.")
                continue
            if camel in kind.one_of:
                if chosen:
                    self.complain(
                        here,
                        f"Invalid value at '{path}' (oneof), oneof field 'data' is already set. Cannot set '{camel}'",
                    )
                chosen = camel
            found = self.value(inner, item, here)
            if found is not _UNFIT:
                parsed[camel] = found
        return parsed

    def value(self, kind: Kind, value: object, path: str) -> object:
        if isinstance(kind, Scalar):
            found = _SCALARS[kind](value)
            return self._unfit(kind.value, value, path) if found is _UNFIT else found
        if isinstance(kind, Enumeration):
            return self._name(kind, value, path)
        if isinstance(kind, Repeated):
            return self._list(kind, value, path)
        if not isinstance(value, dict):
            return self._unfit(_TYPE_PREFIX + (kind.name if isinstance(kind, Message) else "Map"), value, path)
        return self._object(kind, value, path)

    def _object(self, kind: Message | MapOf, value: Mapping[str, object], path: str) -> object:
        if self._depth >= _MAX_DEPTH:
            self.complain(path, f"Invalid value at '{path}': Message too deep. Max recursion depth reached.")
            return _UNFIT
        self._depth += 1
        try:
            return self.message(kind, value, path) if isinstance(kind, Message) else self._map(kind, value, path)
        finally:
            self._depth -= 1

    def _name(self, kind: Enumeration, value: object, path: str) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(kind.values):
            return kind.values[value]
        name = value.upper().replace("-", "_") if isinstance(value, str) else ""
        return name if name in kind.values else self._unfit(_TYPE_PREFIX + kind.name, value, path)

    def _list(self, kind: Repeated, value: object, path: str) -> list[object]:
        # Google's front end takes one item for a list of one; the guides' own samples rely on it.
        items = value if isinstance(value, list) else [value]
        found = [self.value(kind.of, item, f"{path}[{index}]") for index, item in enumerate(items)]
        return [item for item in found if item is not _UNFIT]

    def _map(self, kind: MapOf, value: Mapping[str, object], path: str) -> dict[str, object]:
        found = {name: self.value(kind.of, item, f"{path}[{name}]") for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not _UNFIT}

    def _unfit(self, type_name: str, value: object, path: str) -> object:
        is_undecodable = type_name == Scalar.BYTES and isinstance(value, str)
        reason = f"Base64 decoding failed for {_shown(value)}" if is_undecodable else _shown(value)
        self.complain(path, f"Invalid value at '{path}' ({type_name}), {reason}")
        return _UNFIT


def _shown(value: object) -> str:
    text = "bytes" if isinstance(value, Blob) else orjson.dumps(value).decode()
    return text if len(text) <= 100 else f"{text[:100]}..."


def _string(value: object) -> object:
    return value if isinstance(value, str) else _UNFIT


def _bool(value: object) -> object:
    return value if isinstance(value, bool) else _UNFIT


def _integer_within(limit: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        is_written = isinstance(value, str) and _INTEGER.fullmatch(value) is not None
        if is_written or (isinstance(value, float) and value.is_integer()):
            value = int(cast("str | float", value))
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return value if is_integer and -limit <= cast("int", value) < limit else _UNFIT

    return read


def _float(value: object) -> object:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _UNFIT
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(cast("float", value)) if is_number and math.isfinite(cast("float", value)) else _UNFIT


def _bytes(value: object) -> object:
    if isinstance(value, Blob):
        return value
    data = decode_base64(value) if isinstance(value, str) else None
    return _UNFIT if data is None else Blob(data)


def _duration(value: object) -> object:
    return float(value[:-1]) if isinstance(value, str) and _DURATION.fullmatch(value) else _UNFIT


def _struct(value: object) -> object:
    return value if isinstance(value, dict) else _UNFIT


_SCALARS: Mapping[Scalar, Callable[[object], object]] = {
    Scalar.STRING: _string,
    Scalar.BOOL: _bool,
    Scalar.INT32: _integer_within(_INT_LIMITS[Scalar.INT32]),
    Scalar.INT64: _integer_within(_INT_LIMITS[Scalar.INT64]),
    Scalar.FLOAT: _float,
    Scalar.BYTES: _bytes,
    Scalar.DURATION: _duration,
    Scalar.STRUCT: _struct,
    Scalar.VALUE: lambda value: value,
}
