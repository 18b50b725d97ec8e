"""The lists in README and docs/ hold all that the code has, and nothing else."""

import json
import re
import tomllib
from typing import get_args

import pytest
import typer
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from app.api.options import GenerateForm
from app.api.schemas import Generation, Problem, StreamEvent
from app.ask.failures import ExitCode
from app.cli.command import cli
from app.errors import PROBLEMS
from app.media.types import SUPPORTED
from app.settings import Settings
from app.tasks.forms import TaskOptions
from app.tasks.registry import TASKS as ALL_TASKS
from docs import generate
from gemini_emulator import EmulatorSettings, FaultKind
from tests.contract.pages import EVERYTHING, PAGES, ROOT, anchors, blocks, code_words, section, table

COMMANDS = typer.main.get_group(cli).commands
TASKS = tuple(f"/api/v1/{kind}/" for kind in ("images", "audio", "documents", "videos"))
_INVOCATION = re.compile(r"gemini-gateway +([a-z]+)([^\n|]*)")


def declared_settings() -> dict[str, FieldInfo]:
    return {
        f"{kind.model_config.get('env_prefix', '')}{name}".upper(): field
        for kind in (Settings, EmulatorSettings)
        for name, field in kind.model_fields.items()
    }


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert PAGES[f"docs/{name}"] == generate.PAGES[name]()


def test_every_setting_is_documented_once_with_a_sentence() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| .* \| (.*) \|$", PAGES["docs/settings.md"], re.MULTILINE)

    assert sorted(name for name, _ in rows) == sorted(declared_settings())
    assert all(meaning.endswith(".") for _, meaning in rows)


def test_every_setting_named_in_the_text_exists() -> None:
    named = {re.split(r"[=:]", word)[0] for word in code_words(EVERYTHING) if re.match(r"[A-Z]+(_[A-Z]+)+(=|$)", word)}

    of_compose = {"GATEWAY_MEMORY", "GATEWAY_PORT", "POSTGRES_PASSWORD"}
    assert named - declared_settings().keys() == {"GOOGLE_GEMINI_BASE_URL", *of_compose}
    compose = (ROOT / "docker-compose.yml").read_text()
    assert all(f"${{{name}:-" in compose for name in of_compose)


def test_every_error_code_is_documented_with_status_and_retry() -> None:
    rows = table("docs/errors.md", "Code", "Status", "Retryable", "Meaning", "What to do")

    shown = {code.strip("`"): (int(status), retryable) for code, status, retryable, *_ in rows}

    assert shown == {code: (kind.status, "yes" if kind.is_retryable else "no") for code, kind in PROBLEMS.items()}


def test_every_exit_code_of_ask_is_documented() -> None:
    rows = table("docs/from-your-code.md", "Exit code", "Meaning")

    # 130 is the shell's own convention for an interrupted command.
    assert [int(code) for code, _ in rows] == [*ExitCode, 130]


def test_every_supported_mime_type_is_documented() -> None:
    words = code_words(section("docs/rest.md", "What may be sent"))

    assert sorted(words) == sorted(SUPPORTED)


def test_the_table_of_options_names_fields_of_the_form() -> None:
    named = {word for cell, _ in table("docs/rest.md", "Field", "Meaning") for word in code_words(cell)}

    assert named <= GenerateForm.model_fields.keys()


def test_every_field_of_a_task_is_documented() -> None:
    rows = table("docs/tasks.md", "Field", "Tasks", "Meaning")

    shown = {word for cell, _, _ in rows for word in code_words(cell)}

    every = {*TaskOptions.model_fields, "file", "file_id"}
    assert shown == {name for task in ALL_TASKS for form in task.forms for name in form.model_fields} - every
    assert {"prompt", "model", "language", "keep_file", "timeout_s", "metadata"} <= set(
        code_words(section("docs/tasks.md", "Fields of every task"))
    )


def test_every_task_has_a_documented_call() -> None:
    calls = " ".join(call for _, call, _ in table("README.md", "Task", "Call", "What the answer adds"))
    document = json.loads((ROOT / "openapi/openapi.json").read_text())
    tasks = {path for path in document["paths"] if path.startswith(TASKS)}

    assert set(re.findall(r"/api/v1/\S+(?=`)", calls)) == tasks


def test_every_field_of_the_form_is_explained() -> None:
    assert GenerateForm.model_fields.keys() <= {name.partition("=")[0] for name in code_words(EVERYTHING)}


def test_the_documented_answer_has_every_field() -> None:
    [example] = [json.loads(block.text) for block in blocks("json") if "finish_reason" in block.text]

    answer = Generation.model_validate(example)

    assert answer.model_dump(mode="json") == example


def test_the_documented_problem_has_every_field() -> None:
    [example] = [json.loads(block.text) for block in blocks("json") if "retryable" in block.text]

    problem = Problem.model_validate(example)

    assert problem.model_dump(mode="json") == example
    assert PROBLEMS[problem.code].title == problem.title


def test_every_type_of_event_is_documented_with_its_fields() -> None:
    rows = table("docs/rest.md", "Event", "Its data")

    assert [event.strip("`") for event, _ in rows] == [*get_args(StreamEvent.model_fields["type"].annotation)]
    assert {name for _, data in rows for name in re.findall(r'"(\w+)"(?=[:,}])', data)} <= {
        *StreamEvent.model_fields,
        *(event.strip("`") for event, _ in rows),
        "uploading",
    }


def test_every_kind_of_fault_is_documented() -> None:
    named = [word for cell, _ in table("docs/emulator.md", "Kind of fault", "Effect") for word in code_words(cell)]

    assert sorted(named) == sorted(FaultKind)


def test_every_make_target_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)

    named = {match[1] for match in re.finditer(r"(?:^|`)make ([a-z-]+)", EVERYTHING, re.MULTILINE)}

    assert named == set(targets)


def invocations() -> list[tuple[str, str]]:
    """Return each documented command with the rest of its line."""
    lines = "\n".join(block.text for block in blocks("sh"))
    return [(match[1], match[2]) for match in _INVOCATION.finditer(lines)]


def test_every_documented_command_line_has_a_command_and_options_that_exist() -> None:
    for name, arguments in invocations():
        command = COMMANDS[name]
        if isinstance(command, TyperGroup):
            command = command.commands[arguments.split()[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", arguments)) <= options | {"--help"}


@pytest.mark.parametrize("name", ["serve", "emulator", "ask"])
def test_a_command_for_users_is_documented(name: str) -> None:
    assert name in {shown for shown, _ in invocations()}


def test_the_documented_floors_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    enforced = [module.strip().replace(".", "/") for layer in layers for module in layer.split("|")]

    documented = [word for cell, _ in table("docs/architecture.md", "Floor", "Purpose") for word in code_words(cell)]

    assert [re.sub(r"/$|\.py$", "", path) for path in documented] == enforced


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_page_or_heading_has_a_target(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(str(target.relative_to(ROOT))), link


def test_the_readme_has_at_most_200_lines() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 200
