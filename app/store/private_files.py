"""SQLite's files and the secret beside them: accessible only to their owner, from their first byte on.

The database holds sealed upload addresses, names of files and the ledger. SQLite gives its write-ahead log the mode of
the database, so the database is made before SQLite opens it.
"""

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger("gateway.store")

SECRET_NAME = "secret.key"  # noqa: S105  # a file's name
_SUFFIXES = ("", "-wal", "-shm", "-journal")


def make_private_database(database: Path) -> None:
    """Create the database's file (0600) and folder (0700) if missing; restrict existing ones, with a log line."""
    make_private_folder(database)
    # Opening an existing file changes neither its content nor its mode.
    os.close(os.open(database, os.O_RDONLY | os.O_CREAT, 0o600))


def make_private_folder(database: Path) -> None:
    """Create the folder of the database and of the secret if missing, and restrict it and its files to the owner."""
    # An existing folder with any other file in it is left alone, since it might be a home or /tmp.
    folder = database.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = [database.with_name(database.name + suffix) for suffix in _SUFFIXES] + [database.with_name(SECRET_NAME)]
    found = [path for path in ours if path.exists()]
    if {path.name for path in folder.iterdir()} <= {path.name for path in ours}:
        found.append(folder)
    opened = [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    try:
        for path in opened:
            path.chmod(0o700 if path == folder else 0o600)
    except PermissionError:
        log.warning(
            "users other than the owner can reach these files, and their modes cannot be set: %s", _listed(opened)
        )
    else:
        if opened:
            log.warning("made accessible to the owner alone: %s", _listed(opened))


def _listed(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def sqlite_file(database: str | None) -> Path | None:
    """Return the path in a SQLite URL, None for a database in memory."""
    return None if not database or database == ":memory:" else Path(database)
