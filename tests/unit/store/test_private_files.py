"""SQLite's files, the secret and their folder are their owner's alone, however they came to be."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.database import open_database
from app.store.private_files import make_private_folder
from app.store.secrets import open_vault


@pytest.fixture(params=[0o000, 0o022, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def url_of(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/gateway.db"


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


@pytest.mark.usefixtures("umask")
async def test_the_database_its_log_its_secret_and_its_folder_are_made_for_their_owner_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state" / "data"
    async with open_database(url_of(folder)):
        open_vault(None, url_of(folder))
        found = modes(folder)

    files = {"gateway.db", "gateway.db-wal", "gateway.db-shm", "secret.key"}
    assert found == {"data": 0o700} | dict.fromkeys(files, 0o600)
    assert caplog.records == []


async def test_existing_files_are_tightened_at_the_start_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    async with open_database(url_of(folder)):
        open_vault(None, url_of(folder))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)

    async with open_database(url_of(folder)):
        open_vault(None, url_of(folder))
        found = modes(folder)
    async with open_database(url_of(folder)):
        open_vault(None, url_of(folder))

    assert found.pop("data") == 0o700
    assert set(found.values()) == {0o600}
    [line] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "gateway.db" in line.getMessage()
    assert "secret.key" in line.getMessage()


def test_a_folder_with_files_of_others_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o755)
    (home / "notes.txt").write_text("mine")
    (home / "notes.txt").chmod(0o644)
    (home / "gateway.db").touch(0o644)

    make_private_folder(home / "gateway.db")

    assert modes(home) == {"home": 0o755, "notes.txt": 0o644, "gateway.db": 0o600}


def test_modes_that_cannot_be_set_are_a_warning_and_the_start_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.db").touch(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    make_private_folder(tmp_path / "gateway.db")

    assert "cannot be set" in caplog.text
