import json
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.command import main
from app.cli.keys import make_first_key
from app.settings import Settings, read

KEY = re.compile(r"gg_[a-z0-9]{12}_[A-Za-z0-9_-]{43}")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of `gemini-gateway keys`; gives its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "SECRET_KEY", "CLIENT_AUTH"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gemini-gateway", "keys", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        said = capsys.readouterr()
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


def listed(run: Run) -> list[dict[str, Any]]:
    clients: list[dict[str, Any]] = json.loads(run("list", "--json")[1])
    return clients


def test_a_new_key_is_alone_on_stdout(run: Run) -> None:
    code, out, err = run("create", "--name", "web")

    assert code == 0
    assert KEY.fullmatch(out.strip())
    assert "key of web" in err
    assert out.strip() not in err


def test_all_that_a_client_may_and_may_not_is_said_when_it_is_made(run: Run) -> None:
    code, out, _ = run(
        *("create", "--name", "web", "--scopes", "generate, files", "--models", "models/gemini-3.8-flash"),
        *("--origins", "https://App.example/", "--expires", "90d", "--requests-per-minute", "60"),
        *(
            "--tokens-per-minute",
            "1",
            "--tokens-per-day",
            "2000000",
            "--tokens-per-month",
            "3",
            "--cost-per-day",
            "0.5",
        ),
        *("--cost-per-month", "10", "--concurrent-requests", "4", "--bytes-per-day", "5", "--max-file-bytes", "6"),
        *("--stored-bytes", "0", "--json"),
    )

    made = json.loads(out)
    assert code == 0
    assert KEY.fullmatch(made["key"])
    assert made["scopes"] == ["files", "generate"]
    assert made["models"] == ["gemini-3.8-flash"]
    assert made["origins"] == ["https://app.example"]
    assert {name: value for name, value in made["limits"].items() if not name.startswith("total_")} == {
        "requests_per_minute": 60,
        "tokens_per_minute": 1,
        "tokens_per_day": 2_000_000,
        "tokens_per_month": 3,
        "cost_per_day": 0.5,
        "cost_per_month": 10,
        "concurrent_requests": 4,
        "bytes_per_day": 5,
        "max_file_bytes": 6,
        "stored_bytes": 0,
    }
    (client,) = listed(run)
    assert {name: client[name] for name in ("id", "name", "scopes", "models", "origins", "limits")} == {
        name: value for name, value in made.items() if name not in {"key", "expires_at"}
    }
    assert client["keys"][0]["expires_at"] == made["expires_at"]


def test_no_list_shows_a_secret(run: Run) -> None:
    _, out, _ = run("create", "--name", "web", "--requests-per-minute", "60")
    secret = out.strip()[16:]

    plain, as_json = run("list")[1], run("list", "--json")[1]

    assert secret not in plain + as_json
    assert out[:15] in plain
    assert "requests_per_minute=60" in plain
    assert re.search(r"web +gg_\w{12}_\.\.\. +good +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +never", plain)


def test_without_clients_the_list_is_empty(run: Run) -> None:
    assert run("list")[1].split() == ["NAME", "KEY", "STATE", "CREATED", "EXPIRES", "MAY", "LIMITS"]
    assert listed(run) == []


def test_a_rotation_gives_a_new_key_and_lets_the_old_one_end(run: Run) -> None:
    old = run("create", "--name", "web")[1]
    code, new, err = run("rotate", "web", "--overlap", "0", "--expires", "30d")

    assert code == 0
    assert KEY.fullmatch(new.strip())
    assert new != old
    assert "keys it had" in err
    (client,) = listed(run)
    assert [key["state"] for key in client["keys"]] == ["expired", "good"]


def test_by_default_both_keys_are_good_for_a_day(run: Run) -> None:
    run("create", "--name", "web")
    run("rotate", "web")

    (client,) = listed(run)
    old, new = client["keys"]
    assert (old["state"], new["state"], new["expires_at"]) == ("good", "good", None)
    assert old["expires_at"][:10] > new["created_at"][:10]


def test_a_revoked_client_is_listed_as_such(run: Run) -> None:
    run("create", "--name", "web")

    assert run("revoke", "web")[:2] == (0, "web is revoked.\n")

    (client,) = listed(run)
    assert client["revoked_at"] == client["keys"][0]["revoked_at"] is not None
    assert client["keys"][0]["state"] == "revoked"
    assert "revoked" in run("list")[1]


def test_revoking_tells_a_script_when(run: Run) -> None:
    run("create", "--name", "web")

    assert json.loads(run("revoke", "web", "--json")[1]).keys() == {"name", "revoked_at"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--name", "web"),
        ("create", "--name", "a b"),
        ("rotate", "nobody"),
        ("revoke", "nobody"),
    ],
)
def test_a_failed_command_prints_one_line_and_no_key(run: Run, arguments: tuple[str, ...]) -> None:
    run("create", "--name", "web")

    code, out, err = run(*arguments)

    assert (code, out) == (1, "")
    assert err.startswith("gemini-gateway: ")
    assert err.count("\n") == 1
    assert len(listed(run)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--scopes", "generate,sudo"),
        ("--origins", "app.example"),
        ("--origins", "https://app.example/path"),
        ("--expires", "90"),
        ("--expires", "soon"),
        ("--expires", "-1d"),
        ("--expires", "9999999999w"),
        ("--requests-per-minute", "-1"),
        ("--requests-per-minute", "many"),
        ("--cost-per-day", "nan"),
        ("--cost-per-day", "inf"),
    ],
)
def test_a_wrong_option_makes_nothing(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run("create", "--name", "web", *arguments)

    assert (code, out) == (2, "")
    assert "Error" in err
    assert listed(run) == []


def test_a_database_that_is_away_is_one_line_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://user:the-password@127.0.0.1:1/gateway")
    monkeypatch.setenv("SECRET_KEY", "a-secret-that-is-long-enough-to-be-one")

    code, out, err = run("list")

    assert (code, out) == (2, "")
    assert err.startswith("gemini-gateway: DATABASE_URL: ")
    assert "the-password" not in err


def test_the_first_key_is_made_when_there_never_was_one(run: Run, tmp_path: Path) -> None:
    settings = read(Settings)

    first = make_first_key(settings)

    assert first is not None
    assert KEY.fullmatch(first.text)
    assert make_first_key(settings) is None
    assert listed(run)[0]["name"] == "default"
    with sqlite3.connect(tmp_path / "data" / "gateway.db") as connection:
        assert first.text[16:] not in "\n".join(connection.iterdump())
    connection.close()


@pytest.fixture
def serve(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Start `serve` up to the point of accepting requests; return its stdout."""
    monkeypatch.setenv("GEMINI_API_KEY", "the-key-of-gemini")
    monkeypatch.setattr("app.cli.command._run", lambda *_, listener, **__: listener.close())
    monkeypatch.setattr("app.cli.command.log_to", lambda _, **__: None)

    def serve(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["gemini-gateway", "serve", "--port", "0", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 0, said.err
        return said.out

    return serve


def test_serve_asks_for_keys_and_shows_the_first_with_a_command_that_uses_it(
    run: Run, serve: Callable[..., str]
) -> None:
    said = serve()

    (text,) = set(KEY.findall(said))
    assert f'-H "Authorization: Bearer {text}" http://127.0.0.1:' in said
    assert [client["name"] for client in listed(run)] == ["default"]
    assert serve() == ""


def test_serve_on_every_address_is_closed_by_its_keys(serve: Callable[..., str]) -> None:
    assert KEY.search(serve("--host", "0.0.0.0"))


def test_the_command_shows_the_address_that_clients_use(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://gateway.example/")

    assert "https://gateway.example/api/v1/generate" in serve()


@pytest.mark.parametrize(
    "chosen",
    [
        {"CLIENT_AUTH": "none"},
        {"CLIENT_AUTH": "jwt", "JWT_ISSUER": "https://issuer.example", "JWT_AUDIENCE": "app"},
    ],
)
def test_where_keys_are_not_asked_for_none_is_made(
    run: Run, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]
) -> None:
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)

    assert serve() == ""
    assert listed(run) == []


def test_scopes_of_a_client_are_changed_without_a_new_key(run: Run) -> None:
    run("create", "--name", "web", "--models", "m", "--requests-per-minute", "60", "--cost-per-day", "1")

    code, out, _ = run(
        *("update", "web", "--scopes", "generate", "--models", "all", "--origins", "https://app.example"),
        *(
            "--limit",
            "requests_per_minute=120",
            "--limit",
            "cost-per-day=none",
            "--limit",
            "tokens_per_day=5",
            "--json",
        ),
    )

    [client] = listed(run)
    assert code == 0
    assert json.loads(out)["limits"] == {"requests_per_minute": 120, "tokens_per_day": 5}
    assert (client["scopes"], client["models"], client["origins"]) == (["generate"], None, ["https://app.example"])
    assert client["limits"]["requests_per_minute"] == 120
    assert client["limits"]["cost_per_day"] is None
    assert len(client["keys"]) == 1


def test_fields_that_are_not_named_stay(run: Run) -> None:
    run("create", "--name", "web", "--models", "m", "--scopes", "files", "--tokens-per-day", "7")

    run("update", "web", "--limit", "requests_per_minute=1")

    [client] = listed(run)
    assert (client["scopes"], client["models"], client["limits"]["tokens_per_day"]) == (["files"], ["m"], 7)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody",),
        ("web", "--limit", "x=1"),
        ("web", "--limit", "tokens_per_day"),
        ("web", "--limit", "tokens_per_day=-1"),
        ("web", "--scopes", "all-of-it"),
        ("web", "--origins", "no origin"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_a_line(run: Run, arguments: tuple[str, ...]) -> None:
    run("create", "--name", "web")

    code, out, err = run("update", *arguments)

    assert code in {1, 2}
    assert out == ""
    assert err.strip()


TOTALS = {
    "total_requests_per_minute": 1,
    "total_tokens_per_minute": 2,
    "total_tokens_per_day": 3,
    "total_tokens_per_month": 4,
    "total_cost_per_day": 0.5,
    "total_cost_per_month": 6.5,
    "total_concurrent_requests": 7,
    "total_bytes_per_day": 8,
    "total_max_file_bytes": 9,
    "total_stored_bytes": 10,
}


def test_every_limit_has_a_total_twin_for_all_users_of_a_key(run: Run) -> None:
    options = [word for name, value in TOTALS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    code, out, err = run("create", "--name", "web", *options, "--json")

    own = {name.removeprefix("total_") for name in TOTALS}
    assert code == 0
    assert json.loads(out)["limits"] == TOTALS | dict.fromkeys(own)
    assert listed(run)[0]["limits"] == TOTALS | dict.fromkeys(own)
    assert "all users together" not in err


def test_a_hint_is_printed_once_while_a_key_has_no_total_limit(run: Run) -> None:
    _, _, created = run("create", "--name", "web", "--cost-per-day", "1")
    _, _, updated = run("update", "web", "--limit", "cost_per_day=2")
    _, _, limited = run("update", "web", "--limit", "total_cost_per_day=5")
    _, _, lifted = run("update", "web", "--limit", "total_cost_per_day=none")

    assert [each.count("all users together") for each in (created, updated, limited, lifted)] == [1, 1, 0, 1]
    assert run("update", "web", "--limit", "total_cost_per_year=5")[0] != 0
