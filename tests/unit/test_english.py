"""The English of docstrings and test names: a sentence names its thing, and a docstring begins with a precise verb."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
VAGUE_WORD = re.compile(r"\b(what|whatever|whoever)\b", re.IGNORECASE)
VAGUE_OPENING = re.compile(r"(Give|Tell|Take|Say)s?\b")
VAGUE_NAME = re.compile(r"_(who|what|whatever|whoever|nobody)(_|$)")
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def definitions(folder: str) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for file in sorted((ROOT / folder).rglob("*.py")):
        yield from (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, DEFINITIONS))


def share(found: list[str], of: list[str]) -> float:
    return len(found) / len(of)


def test_fewer_than_4_percent_of_the_docstrings_in_app_contain_what() -> None:
    docstrings = [text for node in definitions("app") if (text := ast.get_docstring(node))]
    vague = [text for text in docstrings if VAGUE_WORD.search(text)]

    assert share(vague, docstrings) < 0.04, "\n".join(vague)


def test_no_function_docstring_in_app_opens_with_give_tell_take_or_say() -> None:
    docstrings = [
        text for node in definitions("app") if isinstance(node, FUNCTIONS) and (text := ast.get_docstring(node))
    ]
    vague = [text for text in docstrings if VAGUE_OPENING.match(text)]

    assert vague == []


def test_at_most_2_percent_of_the_test_names_have_a_vague_subject() -> None:
    names = [
        node.name for node in definitions("tests") if isinstance(node, FUNCTIONS) and node.name.startswith("test_")
    ]
    vague = [name for name in names if VAGUE_NAME.search(name)]

    assert share(vague, names) <= 0.02, "\n".join(vague)
