import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken

from app.settings import SettingsError
from app.store.secrets import Vault, open_signing_key, open_vault

VALUE = "https://upload.example/?upload_id=secret"
SECRET = "a-secret-that-is-long-enough-to-be-one"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/data/gateway.db"


def test_a_sealed_value_is_opened_again_and_unreadable_in_between() -> None:
    sealed = Vault(SECRET).seal(VALUE)

    assert b"upload" not in sealed
    assert Vault(SECRET).unseal(sealed) == VALUE


def test_nothing_of_another_secret_can_be_opened() -> None:
    with pytest.raises(InvalidToken):
        Vault(SECRET).unseal(Vault(SECRET + "x").seal(VALUE))


def test_the_secret_is_made_once_beside_the_database_for_its_owner_alone(url: str, tmp_path: Path) -> None:
    sealed = open_vault(None, url).seal(VALUE)

    kept = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(kept.read_text()) >= 43
    assert [path.name for path in kept.parent.iterdir()] == ["secret.key"]
    before = kept.read_bytes()
    assert open_vault(None, url).unseal(sealed) == VALUE
    assert kept.read_bytes() == before


def test_processes_that_start_at_once_have_the_same_secret(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: open_vault(None, url), range(32)))

    sealed = vaults[0].seal(VALUE)
    assert {vault.unseal(sealed) for vault in vaults} == {VALUE}


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_kept_secret_that_is_none_stops_the_start(url: str, tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text(content)

    with pytest.raises(SettingsError, match=r"^SECRET_KEY: .*secret\.key"):
        open_vault(None, url)


def test_the_setting_goes_before_the_kept_secret_and_makes_none(url: str, tmp_path: Path) -> None:
    sealed = open_vault(SECRET, url).seal(VALUE)

    assert Vault(SECRET).unseal(sealed) == VALUE
    assert not (tmp_path / "data").exists()


def test_a_database_in_memory_has_a_secret_of_its_own() -> None:
    sealed = open_vault(None, "sqlite+aiosqlite:///:memory:").seal(VALUE)

    with pytest.raises(InvalidToken):
        open_vault(None, "sqlite+aiosqlite:///:memory:").unseal(sealed)


def test_the_signing_key_depends_on_the_secret_alone(url: str) -> None:
    key = open_signing_key(SECRET, url)

    assert len(key) == 32
    assert open_signing_key(SECRET, "sqlite+aiosqlite:///elsewhere.db") == key
    assert open_signing_key(SECRET + "x", url) != key
    assert open_signing_key(None, url) == open_signing_key(None, url) != key
