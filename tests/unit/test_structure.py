"""The code stays one that a stranger finds the way in: names of classes, sizes of files, and no circle of imports."""

import ast
from collections import Counter
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
MODULES = {path: ast.parse(path.read_text()) for path in sorted(APP.rglob("*.py"))}
MOST_LINES = 350


def module_name(path: Path) -> str:
    parts = path.relative_to(APP.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): tree for path, tree in MODULES.items()}


def imported(name: str) -> set[str]:
    """Return the modules of the gateway that a module imports."""
    found = set()
    for node in ast.walk(NAMES[name]):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & NAMES.keys()) - {name}


def test_each_class_has_a_name_of_its_own() -> None:
    classes = [node.name for tree in MODULES.values() for node in tree.body if isinstance(node, ast.ClassDef)]

    # Names with an underscore belong to one file.
    assert [name for name, times in Counter(classes).items() if times > 1 and not name.startswith("_")] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(APP)))
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's own imports only re-export; modules that import the package mean its parts.
    graph = {
        name: {other for other in imported(name) if not is_package(other)} for name in NAMES if not is_package(name)
    }
    while leaves := {name for name, others in graph.items() if not others}:
        graph = {name: others - leaves for name, others in graph.items() if name not in leaves}

    assert graph == {}


def is_package(name: str) -> bool:
    return (APP.parent / Path(*name.split(".")) / "__init__.py").exists()
