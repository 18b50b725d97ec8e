"""The queries of the sweep of files: abandoned uploads, rows long past their expiry, rows beside Gemini's own list.

It knows no clock: times are seconds on Gemini's clock, given by the caller.
"""

from collections.abc import Collection, Iterator
from itertools import islice

from sqlalchemy import delete, exists, select

from app.store.database import Database
from app.store.file_rows import upload_of
from app.store.records import Upload, UploadState
from app.store.schema import FileRow, UploadRow

# Names in one statement, because SQLite accepts a bounded number of parameters.
AT_ONCE = 500


class FileRetention:
    """The uploads that end, in the registry of files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def abandoned(self, *, now: float, limit: int = 100) -> tuple[Upload, ...]:
        """Return uploads whose process has not renewed their lease, the longest abandoned first.

        They are to be cancelled or deleted upstream.
        """
        is_held = exists().where(FileRow.upload_name == UploadRow.name, FileRow.deleted_at.is_(None))
        query = select(UploadRow).where(UploadRow.lease_until < now, ~is_held)
        query = query.order_by(UploadRow.lease_until).limit(limit)
        async with self._database.transaction() as session:
            return tuple(upload_of(row) for row in (await session.scalars(query)).all())

    async def known(self, names: Collection[str]) -> frozenset[str]:
        """Return those of the names that have a row."""
        found: set[str] = set()
        async with self._database.transaction() as session:
            for some in _portions(names):
                found.update((await session.scalars(select(UploadRow.name).where(UploadRow.name.in_(some)))).all())
        return frozenset(found)

    async def finished(self, *, created_before: float, now: float) -> frozenset[str]:
        """Return the names of uploads that must be at Gemini: finalized before `created_before`, not expired."""
        states = (UploadState.ACTIVE, UploadState.PROCESSING)
        query = select(UploadRow.name).where(
            UploadRow.state.in_(states), UploadRow.created_at < created_before, UploadRow.expires_at > now
        )
        async with self._database.transaction() as session:
            return frozenset((await session.scalars(query.where(UploadRow.lease_until.is_(None)))).all())

    async def expired(self, *, before: float) -> frozenset[str]:
        """Return the names of uploads that expired before a time and have no live lease."""
        query = select(UploadRow.name).where(UploadRow.expires_at < before, UploadRow.lease_until.is_(None))
        async with self._database.transaction() as session:
            return frozenset((await session.scalars(query)).all())

    async def drop(self, names: Collection[str], *, expired_before: float) -> None:
        """Remove uploads and their ids, if they still have expired before a time."""
        for some in _portions(names):
            gone = select(UploadRow.name).where(UploadRow.name.in_(some), UploadRow.expires_at < expired_before)
            async with self._database.transaction() as session:
                await session.execute(delete(FileRow).where(FileRow.upload_name.in_(gone)))
                dropped = delete(UploadRow).where(UploadRow.name.in_(some), UploadRow.expires_at < expired_before)
                await session.execute(dropped)


def _portions(names: Collection[str]) -> Iterator[tuple[str, ...]]:
    left = iter(sorted(names))
    while some := tuple(islice(left, AT_ONCE)):
        yield some
