"""JSON bodies as no serialiser writes them: any legal spelling, cut anywhere, with references hidden in them."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

SPACES = st.text(" \t\n\r", max_size=2)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.sampled_from("abcxyz_QRS"), min_size=1, max_size=6).filter(lambda name: name.strip("_") != "")


@dataclass(frozen=True, slots=True)
class Planted:
    """A JSON document and the references that were planted in it, in order."""

    body: bytes
    references: tuple[str, ...]


@st.composite
def strings(draw: st.DrawFn, text: str) -> str:
    """Write a text as a JSON string, any of its characters escaped in any way that JSON allows."""
    written = []
    for character in text:
        how = draw(st.integers(0, 4))
        if how == 0:
            units = character.encode("utf-16-be")
            codes = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
            written.append("".join(f"\\u{draw(st.sampled_from([code, code.upper()]))}" for code in codes))
        elif character == "/" and how == 1:
            written.append("\\/")
        else:
            written.append(json.dumps(character, ensure_ascii=draw(st.booleans()))[1:-1])
    return f'"{"".join(written)}"'


@st.composite
def spelled(draw: st.DrawFn, name: str) -> str:
    """Write a name in camelCase or snake_case, escaped at will."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return draw(strings(draw(st.sampled_from([name, snake]))))


@st.composite
def documents(draw: st.DrawFn, value: Any) -> str:
    """Write a value as JSON, with white space wherever it may stand. Pairs in a list stand for an object."""
    space = draw(SPACES)
    if isinstance(value, dict):
        pairs = [f"{draw(spelled(name))}{draw(SPACES)}:{draw(documents(each))}" for name, each in value.items()]
        return f"{space}{{{draw(SPACES)}{','.join(draw(SPACES) + pair for pair in pairs)}{draw(SPACES)}}}{draw(SPACES)}"
    if isinstance(value, list):
        items = ",".join(draw(documents(each)) for each in value)
        return f"{space}[{items or draw(SPACES)}]{draw(SPACES)}"
    written = draw(strings(value)) if isinstance(value, str) else json.dumps(value)
    return f"{space}{written}{draw(SPACES)}"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects in which no two names are the same to Google's parser."""
    return st.dictionaries(NAMES, values, max_size=4).filter(
        lambda found: len({name.replace("_", "").lower() for name in found}) == len(found)
    )


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), objects(inner)), max_leaves=12)


@st.composite
def planted(draw: st.DrawFn, references: st.SearchStrategy[str]) -> Planted:
    """Hide references anywhere in a value that is not free text."""
    names: list[str] = []

    def hide(value: Any) -> Any:
        if isinstance(value, list):
            return [hide(each) for each in value]
        if isinstance(value, dict):
            return {name: hide(each) for name, each in value.items()}
        if draw(st.integers(0, 2)) == 0:
            reference = draw(references)
            names.append(reference)
            return reference
        return value

    document = hide(draw(VALUES.filter(lambda value: isinstance(value, dict | list))))
    return Planted(draw(documents(document)).encode(), tuple(names))


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut bytes anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=5)))
    bounds = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]
