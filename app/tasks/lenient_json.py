r"""JSON as models send it: in a fenced code block, with words around it, or cut off in the middle.

    text ── strict, from the first value ──> value
         └─ member by member, item by item, up to the cut ──> whole members and items

Every result can be written again as UTF-8 JSON: it has no lone surrogates and no infinite numbers.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import cast

# Words before the answer may contain brackets; more starts than this are not tried, which bounds the work.
_MAX_STARTS = 16
_MAX_DEPTH = 64
_MAX_INT_DIGITS = 18
_SPACE = " \t\n\r"
_FENCE = re.compile(r"```[a-zA-Z0-9]*[ \t]*\r?\n")
_OBJECT = re.compile(r"[ \t\n\r]*\{")
_START = re.compile(r"[\[{]")


class UnreadableAnswerError(Exception):
    """The answer contains no JSON that the task can use; the message never repeats the answer."""


@dataclass(frozen=True, slots=True)
class Lenient:
    """The JSON in a text: a dict or a list.

    If the text was cut, the value has the whole members of objects and the whole items of arrays, and `is_whole` is
    False.
    """

    value: object
    is_whole: bool


class _CutError(Exception):
    """The text ends, or stops being JSON, before the value does."""


def _integer(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else _number(digits)


def _number(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _no_constant(_: str) -> None:
    # NaN and Infinity are not JSON, and neither coordinates nor times.
    return None


# `strict=False` accepts line breaks inside strings, which models write.
_DECODER = JSONDecoder(strict=False, parse_int=_integer, parse_float=_number, parse_constant=_no_constant)


def read_json(text: str) -> Lenient:
    """Return the first JSON object or array of a text; the work grows linearly with the text.

    Raises UnreadableAnswerError if there is none.
    """
    fence = _FENCE.search(text)
    first = _START.search(text)
    if fence is not None and (first is None or fence.start() < first.start()):
        text = text[fence.end() :]
    starts = [match.start() for match, _ in zip(_START.finditer(text), range(_MAX_STARTS), strict=False)]
    if not starts:
        raise UnreadableAnswerError("the answer contains no JSON object or array")
    return _strict(text, starts) or _up_to_the_cut(text, starts)


def _strict(text: str, starts: list[int]) -> Lenient | None:
    # Words before the answer may contain brackets, so the first value with an object in it is the answer.
    plain = None
    end = 0
    for start in starts:
        if start < end:
            continue
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (JSONDecodeError, RecursionError):
            if _begins_answer(text, start):
                return None
            continue
        found = Lenient(_speakable(value), is_whole=True)
        if isinstance(found.value, dict) or any(isinstance(item, dict) for item in cast("list[object]", found.value)):
            return found
        plain = plain or found
    return plain


def _begins_answer(text: str, start: int) -> bool:
    """Whether the answer begins here; if the answer is cut, a value inside it is not an answer of its own."""
    return text[start] == "{" or _OBJECT.match(text, start + 1) is not None


def _up_to_the_cut(text: str, starts: list[int]) -> Lenient:
    found = None
    for start in starts:
        reader = _Reader(text)
        value = _speakable(reader.read(start))
        if value:
            return Lenient(value, is_whole=reader.is_whole)
        found = found or Lenient(value, is_whole=reader.is_whole)
        if _begins_answer(text, start):
            break
    if found is None:
        raise AssertionError("there is a start to read from")
    return found


class _Reader:
    """Reads one value that may be cut."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.is_whole = True

    def read(self, start: int) -> object:
        """Return the object or array that begins at `start`, up to the cut."""
        self._at = start
        return self._object(0) if self._text[start] == "{" else self._array(0)

    def _next(self) -> str:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _object(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        self._at += 1
        try:
            while self._next() != "}":
                if self._next() == ",":
                    self._at += 1
                    continue
                name = self._name()
                kind = self._next()
                if kind in {"{", "["}:
                    found[name] = self._container(kind, depth)
                    if not self.is_whole:
                        return found
                else:
                    found[name] = self._scalar()
        except _CutError:
            self.is_whole = False
            return found
        self._at += 1
        return found

    def _name(self) -> str:
        name = self._scalar()
        if self._next() != ":" or not isinstance(name, str):
            raise _CutError
        self._at += 1
        return name

    def _array(self, depth: int) -> list[object]:
        found: list[object] = []
        self._at += 1
        try:
            while (kind := self._next()) != "]":
                if kind == ",":
                    self._at += 1
                    continue
                item = self._container(kind, depth) if kind in {"{", "["} else self._scalar()
                if not self.is_whole:
                    # A cut item is dropped.
                    return found
                found.append(item)
        except _CutError:
            self.is_whole = False
            return found
        self._at += 1
        return found

    def _container(self, kind: str, depth: int) -> object:
        if depth == _MAX_DEPTH:
            raise _CutError
        return self._object(depth + 1) if kind == "{" else self._array(depth + 1)

    def _scalar(self) -> object:
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except JSONDecodeError:
            raise _CutError from None
        if end == len(self._text) and not isinstance(value, str):
            # A number at the very end may have further digits.
            raise _CutError
        self._at = end
        return value


def _speakable(value: object, depth: int = 0) -> object:
    """Return a value that can be written as UTF-8: half a surrogate pair is replaced."""
    # Deeper values could exhaust the stack.
    if depth > _MAX_DEPTH:
        raise UnreadableAnswerError(f"the answer is nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_speakable(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {cast("str", _speakable(name)): _speakable(item, depth + 1) for name, item in value.items()}
    return value


def items_of(value: object, key: str) -> list[dict[str, object]]:
    """Return the objects of a list answer.

    The model may have sent the list itself, `{key: [...]}`, the list under another name, or a single item.
    """
    if isinstance(value, dict):
        lists = [member for member in value.values() if isinstance(member, list)]
        wanted = value.get(key)
        if isinstance(wanted, list):
            value = wanted
        elif isinstance(wanted, dict):
            value = [wanted]
        elif len(lists) == 1 and any(isinstance(item, dict) for item in lists[0]):
            value = lists[0]
        else:
            value = [value] if value and wanted is None else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def listed(read: Lenient, key: str, is_item: Callable[[dict[str, object]], bool]) -> list[dict[str, object]]:
    """Return the objects of a list answer that satisfy `is_item`.

    The result is empty for an empty list and for an answer cut before the end of its first item. Raises
    UnreadableAnswerError for any other answer without items.
    """
    items = [item for item in items_of(read.value, key) if is_item(item)]
    is_empty = not read.value or (isinstance(read.value, dict) and key in read.value and not read.value[key])
    if items or is_empty or not read.is_whole:
        return items
    raise UnreadableAnswerError(f"the answer contains no list of {key}")


def as_json(value: object) -> str:
    """Return a value as compact JSON, as a model is shown it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
