from dataclasses import fields
from pathlib import Path

import pytest

from app.clients.admission import open_admission
from app.clients.identity import LOCAL, Client, Limits
from app.clients.limit_owners import GATEWAY_KEY, LimitOwners
from app.errors import RateLimitedError
from app.settings import LimitValues, Settings, SettingsError, read
from app.store.database import open_database

GATEWAY = Limits(requests_per_minute=9)
ISSUER = Limits(requests_per_minute=5)


def keys(owners: LimitOwners, client: Client) -> list[str]:
    return [owner.key for owner in owners.of(client)]


def test_a_client_without_settings_has_no_limits() -> None:
    assert keys(LimitOwners(), LOCAL) == []
    assert keys(LimitOwners(Limits(), {"app": Limits()}), Client("a", "a", limits=Limits(), issuer="app")) == []


def test_the_clients_own_limits_come_first_and_the_gateways_last() -> None:
    owners = LimitOwners(GATEWAY, {"https://login": ISSUER})
    limited = Client("a", "a", limits=Limits(tokens_per_day=1), issuer="https://login")

    assert keys(owners, limited) == ["client:a", "issuer:https://login", GATEWAY_KEY]
    assert keys(owners, limited) == sorted(keys(owners, limited))
    assert keys(owners, Client("b", "b", issuer="elsewhere")) == [GATEWAY_KEY]


def test_the_total_limits_of_a_key_are_one_owner_for_the_key_and_all_its_users() -> None:
    total = Limits(tokens_per_day=1)
    owners = LimitOwners(GATEWAY, {"cli_a": ISSUER})
    key = Client("cli_a", "a", limits=Limits(tokens_per_day=2), total_limits=total)
    user = Client("cli_a/u", "a/u", issuer="cli_a", total_limits=total)

    assert keys(owners, key) == ["client:cli_a", "key:cli_a", GATEWAY_KEY]
    assert keys(owners, user) == ["issuer:cli_a", "key:cli_a", GATEWAY_KEY]
    assert keys(owners, user) == sorted(keys(owners, user))


def test_a_setting_names_every_limit_that_a_client_may_have() -> None:
    assert list(LimitValues.model_fields) == [field.name for field in fields(Limits)]


def test_limits_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LIMITS", '{"requests_per_minute": 9}')
    monkeypatch.setenv("ISSUER_LIMITS", '{"https://login": {"requests_per_minute": 5, "cost_per_day": 0.5}}')

    owners = LimitOwners.of_settings(read(Settings))

    found = owners.of(Client("a", "a", issuer="https://login"))
    assert [owner.limits for owner in found] == [Limits(requests_per_minute=5, cost_per_day=0.5), GATEWAY]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_LIMITS", "60"),
        ("GATEWAY_LIMITS", "not JSON"),
        ("GATEWAY_LIMITS", '{"requests_per_second": 1}'),
        ("GATEWAY_LIMITS", '{"requests_per_minute": -1}'),
        ("GATEWAY_LIMITS", '{"requests_per_minute": 1e30}'),
        ("GATEWAY_LIMITS", '{"cost_per_day": 1e30}'),
        ("ISSUER_LIMITS", '{"requests_per_minute": 1}'),
        ("ISSUER_LIMITS", '{"": {}}'),
        ("LIMITS_ON_OUTAGE", "pray"),
        ("REDIS_URL", "http://:secret@redis"),
        ("RESERVED_OUTPUT_TOKENS", "0"),
    ],
)
def test_a_wrong_setting_is_named_and_never_shown_when_it_is_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        read(Settings)

    assert str(caught.value).startswith(f"{name}: ")
    assert "secret" not in str(caught.value)


async def test_the_settings_are_all_that_admission_needs(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    settings = Settings(database_url=url, gateway_limits=LimitValues(requests_per_minute=1))
    async with open_database(url) as database, open_admission(settings, database) as admission:
        await admission.enter(LOCAL)
        with pytest.raises(RateLimitedError):
            await admission.enter(LOCAL)

        assert admission.state == "ok"
