import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.settings import MIB, SHIPPED_ALIASES, IssuerSettings, Settings, SettingsError, read

SECRET = "a-secret-that-is-long-enough-to-be-one"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {name.upper() for name in Settings.model_fields} & {name.upper() for name in os.environ}:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_typed_documented_and_has_a_default(name: str) -> None:
    info = Settings.model_fields[name]

    assert info.annotation not in {None, Any, object}
    assert info.description is not None
    assert info.description.endswith(".")
    assert not info.is_required()


def test_the_defaults_are_themselves_allowed() -> None:
    defaults = read(Settings)

    assert Settings.model_validate({"_env_file": None, **defaults.model_dump()}) == defaults


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = read(Settings)

    assert settings.inline_limit_bytes == 20_000_000
    assert settings.chunk_bytes == 8 * MIB
    assert settings.max_file_bytes == 2048 * MIB
    assert settings.max_fields_bytes == MIB
    assert settings.max_buffered_bytes == 256 * MIB
    assert settings.database_url == "sqlite+aiosqlite:///./data/gateway.db"
    assert settings.gemini_default_model == "gemini-3.8-flash"
    assert settings.model_aliases == SHIPPED_ALIASES
    assert settings.client_auth is None
    assert settings.gemini_api_key is None


def test_a_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INLINE_LIMIT_BYTES", "50000")
    monkeypatch.setenv("model_aliases", '{"old": "new"}')
    monkeypatch.setenv("ALLOWED_HOSTS", " a.example , b.example/,, ")
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:8080/")
    monkeypatch.setenv("CLIENT_AUTH", "")

    settings = read(Settings)

    assert settings.inline_limit_bytes == 50_000
    assert settings.model_aliases == {"old": "new"}
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.gemini_base_url == "http://127.0.0.1:8080"
    assert settings.client_auth is None


def test_a_setting_comes_from_the_env_file_unless_the_environment_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MAX_PARTS=7\nMAX_UPLOADS=3\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("MAX_PARTS", "9")

    settings = read(Settings)

    assert (settings.max_parts, settings.max_uploads) == (9, 3)


def test_overrides_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_BASE_URL", "https://elsewhere.example")

    assert read(Settings, gemini_base_url="http://127.0.0.1:1").gemini_base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INLINE_LIMIT_BYTES", "20MB"),
        ("INLINE_LIMIT_BYTES", "999"),
        ("INLINE_LIMIT_BYTES", "100000001"),
        ("PDF_INLINE_LIMIT_BYTES", "50000001"),
        ("CHUNK_BYTES", "262143"),
        ("CHUNK_BYTES", "300000"),
        ("MAX_FILE_BYTES", "0"),
        ("REQUEST_TIMEOUT_S", "0"),
        ("REQUEST_TIMEOUT_S", "nan"),
        ("REQUEST_TIMEOUT_S", "inf"),
        ("CHUNK_TIMEOUT_S", "soon"),
        ("ALLOW_OPEN_ACCESS", "perhaps"),
        ("CLIENT_AUTH", "keys-please"),
        ("CLIENT_AUTH", "keys,none"),
        ("JWT_ISSUERS", "https://issuer.example"),
        ("JWT_ISSUERS", "{}"),
        ("JWT_ISSUERS", '[{"issuer": "https://issuer.example"}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://issuer.example", "audience": ""}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://issuer.example", "audience": []}]'),
        ("JWT_ISSUERS", '[{"issuer": "http://issuer.example", "audience": "app"}]'),
        ("JWT_ISSUERS", '[{"issuer": "not a URL", "audience": "app"}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i.example", "audience": "app", "jwks_url": "http://i.example/keys"}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i.example", "audience": "app", "algorithms": ["none"]}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i.example", "audience": "app", "algorithms": ["HS256"]}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i.example", "audience": "app", "algorithms": []}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i.example", "audience": "app", "secret": "x"}]'),
        ("JWT_ISSUERS", '[{"issuer": "https://i", "audience": "a"}, {"issuer": "https://i", "audience": "b"}]'),
        ("APP_CHECK", "yes"),
        ("APP_CHECK", "[]"),
        ("UPSTREAM_UNKNOWN_LENGTH", "maybe"),
        ("GEMINI_BASE_URL", "generativelanguage.googleapis.com"),
        ("GEMINI_BASE_URL", "http://"),
        ("GEMINI_BASE_URL", "http://gemini.example:99999"),
        ("GEMINI_BASE_URL", "http://gemini.example:0"),
        ("UPSTREAM_UPLOAD_ORIGINS", "uploads.example"),
        ("UPSTREAM_UPLOAD_ORIGINS", "https://uploads.example,foo"),
        ("UPSTREAM_UPLOAD_ORIGINS", "https://uploads.example/path"),
        ("UPSTREAM_UPLOAD_ORIGINS", "https://user@uploads.example"),
        ("CLIENT_SHARE", "0"),
        ("CLIENT_SHARE", "1.1"),
        ("STREAM_TIMEOUT_S", "0"),
        ("CONNECTION_WAIT_S", "inf"),
        ("PUBLIC_URL", "ftp://gateway.example"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql://localhost/x"),
        ("MODEL_ALIASES", "old=new"),
        ("MODEL_ALIASES", '["old"]'),
        ("MODEL_ALIASES", '{"old": 7}'),
        ("GATEWAY_LIMITS", '{"stored_bytes": 5}'),
        ("ISSUER_LIMITS", '{"https://issuer.example": {"stored_bytes": 5}}'),
        ("SECRET_KEY", "too-short"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        read(Settings)

    line = str(caught.value)
    assert line.startswith(f"{variable}: ")
    assert "\n" not in line
    assert "Value error" not in line


def test_nothing_said_of_clients_means_that_they_have_keys() -> None:
    settings = read(Settings)

    assert settings.auth_methods == {"keys"}
    assert not settings.is_open
    assert settings.issuers == ()


@pytest.mark.parametrize(
    ("value", "methods", "is_open"),
    [
        ("none", ["none"], True),
        ("keys", ["keys"], False),
        (" keys , keys,", ["keys"], False),
        (",", ["keys"], False),
    ],
)
def test_the_authentication_methods_are_a_set(
    monkeypatch: pytest.MonkeyPatch, value: str, methods: list[str], is_open: bool
) -> None:
    monkeypatch.setenv("CLIENT_AUTH", value)

    settings = read(Settings)

    assert (sorted(settings.auth_methods), settings.is_open) == (methods, is_open)


def test_an_issuer_has_a_short_form_and_is_then_asked_for_beside_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER", "https://tenant.auth0.example/")
    monkeypatch.setenv("JWT_AUDIENCE", "https://api.example")

    settings = read(Settings)

    assert settings.auth_methods == {"keys", "jwt"}
    assert settings.issuers == (
        IssuerSettings(issuer="https://tenant.auth0.example/", audience=("https://api.example",)),
    )
    assert settings.issuers[0].algorithms == ("RS256", "ES256")


def test_several_issuers_each_have_their_own_audience_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_AUTH", "jwt")
    monkeypatch.setenv("JWT_ISSUER", "http://localhost:8080/realms/dev")
    monkeypatch.setenv("JWT_AUDIENCE", "account")
    more = {"scopes": ["generate"], "limits": {"requests_per_minute": 5}, "algorithms": ["ES256"]}
    monkeypatch.setenv("JWT_ISSUERS", json.dumps([{"issuer": "https://i.example", "audience": ["a", "b"], **more}]))

    settings = read(Settings)

    assert settings.auth_methods == {"jwt"}
    first, second = settings.issuers
    assert (first.audience, first.scopes, first.limits) == (("a", "b"), ("generate",), {"requests_per_minute": 5})
    assert (second.issuer, second.audience) == ("http://localhost:8080/realms/dev", ("account",))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CLIENT_AUTH": "jwt"}, "JWT_ISSUER"),
        ({"CLIENT_AUTH": "keys,jwt"}, "JWT_ISSUER"),
        ({"JWT_ISSUER": "https://i.example"}, "JWT_AUDIENCE"),
        ({"JWT_AUDIENCE": "app"}, "JWT_AUDIENCE"),
        ({"JWT_ISSUER": "http://i.example", "JWT_AUDIENCE": "app"}, "JWT_ISSUER"),
        ({"JWT_ISSUER": "https://[", "JWT_AUDIENCE": "app"}, "JWT_ISSUER"),
    ],
)
def test_an_issuer_that_is_said_by_halves_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{named}: "):
        read(Settings)


def test_a_wrong_value_within_a_setting_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUERS", '[{"issuer": "https://issuer.example"}]')

    with pytest.raises(SettingsError, match=r"^JWT_ISSUERS: audience: "):
        read(Settings)


def test_postgresql_needs_a_secret_that_all_replicas_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://user:pass@db/gateway")

    with pytest.raises(SettingsError, match=r"^SECRET_KEY: ") as caught:
        read(Settings)

    assert "user:pass" not in str(caught.value)
    monkeypatch.setenv("SECRET_KEY", SECRET)
    assert read(Settings).secret_key == SecretStr(SECRET)


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("GEMINI_API_KEY", SECRET, SECRET),
        ("SECRET_KEY", SECRET, SECRET),
        ("DATABASE_URL", f"postgresql+asyncpg://user:{SECRET}@db/gateway", SECRET),
    ],
)
def test_a_secret_shows_in_no_repr(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, secret: str) -> None:
    monkeypatch.setenv("SECRET_KEY", "another-secret-that-is-long-enough")
    monkeypatch.setenv(variable, value)

    settings = read(Settings)

    assert secret not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", "short-secret"),
        ("DATABASE_URL", "mysql://user:short-secret@db/x"),
        ("MODEL_ALIASES", "short-secret"),
    ],
)
def test_a_wrong_value_itself_shows_in_no_error(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        read(Settings)

    assert "short-secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_settings_do_not_change() -> None:
    settings = read(Settings)

    with pytest.raises(ValueError, match="frozen"):
        settings.__setattr__("max_parts", 3)
