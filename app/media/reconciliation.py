"""The registry of files beside Gemini's own list of them: rows without a file, files without a row.

It finds and counts, and changes nothing.
"""

import re
from dataclasses import dataclass

from app.gemini.remote_files import FileList, ListedFile
from app.gemini.request import NAME_CHARS
from app.store.file_retention import FileRetention

_OWN_NAME = re.compile(rf"[a-z0-9]{{{NAME_CHARS}}}")
RECENT_S = 3_600.0
"""A row's file is expected in Gemini's list if the row is older."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How Gemini's list and the registry differ.

    `orphans` are files with a name as the gateway makes them and no row; `foreign` counts files with other names and no
    row, which were uploaded past the gateway or made by Gemini. `missing` are names of rows whose file should lie at
    Gemini and is not in the list. `is_whole` is False if the list was too long to be read to its end, and `missing` is
    empty then.
    """

    names: frozenset[str]
    orphans: tuple[ListedFile, ...]
    foreign: int
    missing: frozenset[str]
    is_whole: bool

    @property
    def orphaned_bytes(self) -> int:
        """The size of all orphans together."""
        return sum(file.size_bytes for file in self.orphans)


async def reconcile(listed: FileList, retention: FileRetention, *, now: float) -> Reconciliation:
    """Compare Gemini's list with the registry; `now` is the time before the list was asked for."""
    names = frozenset(file.name for file in listed.files)
    known = await retention.known(names)
    unknown = [file for file in listed.files if file.name not in known]
    orphans = tuple(file for file in unknown if _OWN_NAME.fullmatch(file.name))
    missing: frozenset[str] = frozenset()
    # A list that shares no file with the registry is another project's: the key was changed.
    if listed.is_whole and known:
        missing = await retention.finished(created_before=now - RECENT_S, now=now) - names
    return Reconciliation(names, orphans, len(unknown) - len(orphans), missing, listed.is_whole)
