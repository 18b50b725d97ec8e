import os
from pathlib import Path

import pytest

from app.gemini import credentials
from app.gemini.credentials import ApiKey, read_api_key
from app.settings import Settings, SettingsError


def settings(**chosen: object) -> Settings:
    return Settings.model_validate({"_env_file": None, "gemini_api_key": None, "gemini_api_key_file": None, **chosen})


@pytest.fixture
def always_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "CHECK_INTERVAL_S", -1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("first\n")
    return file


def replace(file: Path, content: bytes) -> None:
    """Rewrite the file, with a different time of change even for a coarse clock."""
    changed = file.stat().st_mtime_ns + 1_000_000_000
    file.write_bytes(content)
    os.utime(file, ns=(changed, changed))


def test_the_setting_goes_before_the_file(file: Path) -> None:
    assert read_api_key(settings(gemini_api_key="direct", gemini_api_key_file=file)).current() == "direct"
    assert read_api_key(settings(gemini_api_key_file=file)).current() == "first"


def test_spaces_and_line_ends_around_a_key_are_no_part_of_it(file: Path) -> None:
    replace(file, b"\n  second \r\n")

    assert read_api_key(settings(gemini_api_key_file=file)).current() == "second"
    assert read_api_key(settings(gemini_api_key=" direct\n")).current() == "direct"


@pytest.mark.usefixtures("always_checked")
def test_a_file_that_changes_is_read_again(file: Path) -> None:
    key = read_api_key(settings(gemini_api_key_file=file))

    replace(file, b"second\n")

    assert key.current() == "second"


def test_a_file_is_looked_at_only_once_in_a_while(file: Path) -> None:
    key = read_api_key(settings(gemini_api_key_file=file))

    replace(file, b"second\n")

    assert key.current() == "first"


@pytest.mark.usefixtures("always_checked")
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"two words"])
def test_a_file_that_holds_no_key_for_a_moment_leaves_the_one_in_hand(file: Path, content: bytes) -> None:
    key = read_api_key(settings(gemini_api_key_file=file))

    replace(file, content)

    assert key.current() == "first"
    replace(file, b"second")
    assert key.current() == "second"


@pytest.mark.usefixtures("always_checked")
def test_a_file_that_is_away_for_a_moment_leaves_the_key_in_hand(file: Path) -> None:
    key = read_api_key(settings(gemini_api_key_file=file))

    file.rename(file.with_name("away"))

    assert key.current() == "first"


def test_a_missing_key_names_the_line_to_add() -> None:
    with pytest.raises(SettingsError, match=r"^GEMINI_API_KEY: unset; add the line GEMINI_API_KEY=\.\.\. to \.env"):
        read_api_key(settings())


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00", b"two\nlines", "clé".encode()])
def test_a_file_without_a_usable_key_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(SettingsError, match=r"^GEMINI_API_KEY_FILE: ") as caught:
        read_api_key(settings(gemini_api_key_file=tmp_path / "key"))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [" ", "two words", "two\nlines", "clé"])
def test_a_setting_that_is_no_key_stops_the_start_and_does_not_show(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^GEMINI_API_KEY: ") as caught:
        read_api_key(settings(gemini_api_key=value))

    assert str(caught.value) == "GEMINI_API_KEY: must be one word of printable ASCII characters"


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^GEMINI_API_KEY_FILE: cannot be read: No such file or directory$"):
        read_api_key(settings(gemini_api_key_file=tmp_path / "none"))


def test_a_key_shows_in_no_repr(file: Path) -> None:
    key = ApiKey("secret-key", file)

    assert "secret-key" not in f"{key!r} {key}"
    assert "secret-key" not in repr(vars(key))
