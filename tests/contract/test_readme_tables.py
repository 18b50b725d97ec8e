"""What the README lists is what the code has, and the reverse."""

import json
import re
from typing import get_args

import pytest
import typer
from pydantic import BaseModel
from typer.core import TyperGroup

from app.api.options import GenerateForm
from app.api.schemas import Generation, Problem, StreamEvent
from app.api.tasks.forms import TASK_FORMS, TaskOptions
from app.ask.failures import ExitCode
from app.cli import cli
from app.errors import PROBLEMS
from app.media.types import SUPPORTED
from app.settings import SHIPPED_ALIASES, Settings
from gemini_emulator import EmulatorSettings, FaultKind
from tests.contract.readme import README, ROOT, blocks, code_words, section, table

COMMANDS = typer.main.get_group(cli).commands
TASKS = tuple(f"/api/v1/{kind}/" for kind in ("images", "audio", "documents", "videos"))
_INVOCATION = re.compile(r"gemini-gateway +([a-z]+)([^\n|]*)")


def shown_default(value: object) -> str:
    match value:
        case None | () | BaseModel():
            return ""
        case dict():
            return "below" if value else ""
        case frozenset():
            return "all"
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


def declared_settings() -> dict[str, str]:
    return {
        f"{kind.model_config.get('env_prefix', '')}{name}".upper(): shown_default(field.default)
        for kind in (Settings, EmulatorSettings)
        for name, field in kind.model_fields.items()
    }


def test_the_table_of_settings_has_every_setting_with_its_default_and_no_other() -> None:
    rows = table("Setting", "Default", "Meaning")

    shown = {name.strip("`"): default for name, default, _ in rows}

    assert shown == declared_settings()
    assert len(rows) == len(shown)
    assert all(meaning.endswith(".") for _, _, meaning in rows)


def test_every_setting_that_the_text_names_exists() -> None:
    named = {re.split(r"[=:]", word)[0] for word in code_words(README) if re.match(r"[A-Z]+(_[A-Z]+)+(=|$)", word)}

    assert named - declared_settings().keys() == {"GATEWAY_PORT", "GOOGLE_GEMINI_BASE_URL", "POSTGRES_PASSWORD"}
    compose = (ROOT / "docker-compose.yml").read_text()
    assert "${GATEWAY_PORT:-8000}" in compose
    assert "${POSTGRES_PASSWORD:-}" in compose


def test_every_alias_that_is_shipped_is_named() -> None:
    words = code_words(section("Settings"))

    assert set(SHIPPED_ALIASES) | set(SHIPPED_ALIASES.values()) <= set(words)


def test_the_table_of_problems_has_every_code_with_its_status_and_no_other() -> None:
    rows = table("Code", "Status", "Retryable", "What to do")

    shown = {code.strip("`"): (int(status), retryable) for code, status, retryable, _ in rows}

    assert shown == {code: (kind.status, "yes" if kind.is_retryable else "no") for code, kind in PROBLEMS.items()}
    assert len(rows) == len(shown)


def test_the_table_of_exit_codes_has_those_of_ask() -> None:
    rows = table("Exit code", "Meaning")

    # 130 is the shell's own convention for an interrupted command.
    assert [int(code) for code, _ in rows] == [*ExitCode, 130]


def test_the_types_that_may_be_sent_are_those_that_are_taken() -> None:
    words = code_words(section("What may be sent"))

    assert sorted(words) == sorted(SUPPORTED)


def test_the_table_of_options_names_fields_of_the_form() -> None:
    named = {word for cell, _ in table("Field", "What it is") for word in code_words(cell)}

    assert named <= GenerateForm.model_fields.keys()


def test_the_table_of_the_tasks_fields_has_all_that_tasks_have_beside_those_of_every_task() -> None:
    rows = table("Field", "Tasks", "What it is")

    shown = {word for cell, _, _ in rows for word in code_words(cell)}

    every = {*TaskOptions.model_fields, "file", "file_id"}
    assert shown == {name for form in TASK_FORMS for name in form.model_fields} - every
    assert {"prompt", "model", "language", "keep_file", "timeout_s", "metadata"} <= set(code_words(section("Tasks")))


def test_every_task_has_its_call() -> None:
    calls = " ".join(call for _, call, _ in table("Task", "Call", "What the answer adds"))
    document = json.loads((ROOT / "openapi/openapi.json").read_text())
    tasks = {path for path in document["paths"] if path.startswith(TASKS)}

    assert set(re.findall(r"/api/v1/\S+(?=`)", calls)) == tasks


def test_every_field_of_the_form_is_explained() -> None:
    assert GenerateForm.model_fields.keys() <= {name.partition("=")[0] for name in code_words(README)}


def test_the_answer_shown_has_every_field_that_an_answer_has() -> None:
    [example] = [json.loads(block.text) for block in blocks("json") if "finish_reason" in block.text]

    answer = Generation.model_validate(example)

    assert answer.model_dump(mode="json") == example


def test_the_problem_shown_has_every_field_that_a_problem_has() -> None:
    [example] = [json.loads(block.text) for block in blocks("json") if "retryable" in block.text]

    problem = Problem.model_validate(example)

    assert problem.model_dump(mode="json") == example
    assert PROBLEMS[problem.code].title == problem.title


def test_the_table_of_events_has_every_type_with_fields_that_events_have() -> None:
    rows = table("Event", "Its data")

    assert [event.strip("`") for event, _ in rows] == [*get_args(StreamEvent.model_fields["type"].annotation)]
    assert {name for _, data in rows for name in re.findall(r'"(\w+)"(?=[:,}])', data)} <= {
        *StreamEvent.model_fields,
        *(event.strip("`") for event, _ in rows),
        "uploading",
    }


def test_every_kind_of_fault_is_listed_and_no_other() -> None:
    named = [word for cell, _ in table("Kind of fault", "What happens") for word in code_words(cell)]

    assert sorted(named) == sorted(FaultKind)


def test_every_make_target_that_is_named_exists_and_every_one_is_named() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)

    named = {match[1] for match in re.finditer(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)}

    assert named == set(targets)


def invocations() -> list[tuple[str, str]]:
    """Give each command that is shown, with what follows it on its line."""
    lines = "\n".join(block.text for block in blocks("sh"))
    return [(match[1], match[2]) for match in _INVOCATION.finditer(lines)]


def test_every_command_line_shown_has_a_command_and_options_that_exist() -> None:
    for name, arguments in invocations():
        command = COMMANDS[name]
        if isinstance(command, TyperGroup):
            command = command.commands[arguments.split()[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", arguments)) <= options | {"--help"}


@pytest.mark.parametrize("name", ["serve", "emulator", "ask"])
def test_a_command_that_people_run_is_shown(name: str) -> None:
    assert name in {shown for shown, _ in invocations()}


def test_the_links_within_the_text_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", match[1].lower()).replace(" ", "-")
        for match in re.finditer(r"^#+ (.+)$", README, re.MULTILINE)
    }

    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (ROOT / target).exists()
