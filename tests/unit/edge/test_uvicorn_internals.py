"""The names of uvicorn that the connection classes build on: the list is complete, and a start checks all of them."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from app.edge import connection, cycle, protocol, uvicorn_internals, websocket
from app.edge.uvicorn_internals import INTERNALS, check_uvicorn, missing_internals
from app.settings import SettingsError

BUILT_ON: dict[str, tuple[ModuleType, ...]] = {
    "FlowControl": (connection,),
    "HttpToolsProtocol": (connection, protocol),
    "RequestResponseCycle": (connection, cycle, protocol),
    "WebSocketsSansIOProtocol": (websocket,),
}
"""The modules that build on each class of uvicorn."""
ROOT = Path(__file__).parents[3]


def _parsed(source: object) -> ast.Module:
    return ast.parse(inspect.getsource(source))  # type: ignore[arg-type]  # a module or a class


def _mentioned(tree: ast.AST) -> set[str]:
    """Return the attributes and named arguments that code mentions, and the methods that its classes define."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg is not None}
    return names | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _own(tree: ast.AST) -> set[str]:
    """Return the methods of a class, and the attributes that it sets on itself."""
    methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return methods | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _imported(tree: ast.Module) -> set[str]:
    """Return the names that a module imports from uvicorn when it runs, without those for type checking."""
    return {
        f"{node.module}:{name.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("uvicorn.")
        for name in node.names
    }


def test_the_list_has_exactly_the_names_that_are_imported_from_uvicorn() -> None:
    modules = {module for modules in BUILT_ON.values() for module in modules}

    imported = set().union(*(_imported(_parsed(module)) for module in modules))

    assert imported == set(INTERNALS)


@pytest.mark.parametrize("path", [path for path in INTERNALS if path.rpartition(":")[2] in BUILT_ON])
def test_the_list_has_exactly_the_attributes_and_methods_that_are_used_or_overridden(path: str) -> None:
    module, _, name = path.partition(":")
    mentioned = set().union(*(_mentioned(_parsed(built)) for built in BUILT_ON[name]))

    used = mentioned & _own(_parsed(getattr(import_module(module), name)))

    assert used - {"__init__"} == INTERNALS[path]


def test_every_class_in_the_list_is_compared_with_the_modules_that_build_on_it() -> None:
    classes = {path.rpartition(":")[2] for path, attributes in INTERNALS.items() if attributes}

    assert classes == set(BUILT_ON)


def test_the_installed_uvicorn_lacks_none_of_them() -> None:
    assert list(missing_internals()) == []
    check_uvicorn()


def test_missing_names_are_listed_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = "uvicorn.protocols.http.flow_control"
    wanted = {
        f"{flow}:FlowControl": frozenset({"drain", "gone"}),
        f"{flow}:Gone": frozenset({"x"}),
        "uvicorn.gone:A": frozenset(),
    }
    monkeypatch.setattr(uvicorn_internals, "INTERNALS", wanted)

    with pytest.raises(SettingsError) as raised:
        check_uvicorn()

    assert f"lacks FlowControl.gone, {flow}.Gone, uvicorn.gone.A, which" in str(raised.value)
    assert "install uvicorn" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_a_start_with_another_uvicorn_stops_with_one_line(command: str) -> None:
    program = (
        "from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol;"
        "del HttpToolsProtocol.on_response_complete, HttpToolsProtocol.timeout_keep_alive_handler;"
        "from app.cli.command import main; main()"
    )
    started = subprocess.run(
        [sys.executable, "-c", program, command], capture_output=True, text=True, cwd=ROOT, check=False, timeout=90
    )

    assert started.returncode == 2
    assert started.stdout == ""
    (line,) = started.stderr.splitlines()
    assert line.startswith("gemini-gateway: uvicorn ")
    assert "HttpToolsProtocol.timeout_keep_alive_handler" in line
