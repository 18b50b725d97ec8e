"""The bytes stored at Gemini, by owner and in total, and the file that makes room first.

This module knows no clock: `now` is Gemini's time in seconds, passed by the caller.
"""

from collections.abc import Sequence

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.database import Database
from app.store.file_rows import file_of, is_live
from app.store.records import NoRoomError, Origin, RoomLimit, StoredFile
from app.store.schema import FileRow, UploadRow


def _stored(now: float, owner: str | None, *, with_users: bool = False) -> Select[int]:
    query = select(func.coalesce(func.sum(UploadRow.size_bytes), 0)).where(UploadRow.expires_at > now)
    if owner is None:
        return query
    if with_users:
        return query.where(or_(UploadRow.owner == owner, UploadRow.owner.startswith(f"{owner}/", autoescape=True)))
    return query.where(UploadRow.owner == owner)


async def take_turn(session: AsyncSession, limits: Sequence[RoomLimit]) -> None:
    """Wait until no other transaction counts the bytes of the owners of these limits."""
    # SQLite needs no lock: there, the first write of a transaction waits for all others.
    if session.get_bind().dialect.name == "postgresql":
        # All transactions lock in one order, so that no two wait for each other.
        for owner in sorted({limit.owner for limit in limits}):
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 0))))


async def check_room(session: AsyncSession, limits: Sequence[RoomLimit], *, now: float) -> None:
    """Raise NoRoomError if an owner's bytes, with those that this transaction has written, exceed a limit."""
    await session.flush()
    for limit in limits:
        stored = int(await session.scalar(_stored(now, limit.owner, with_users=limit.with_users)) or 0)
        if stored > limit.most_bytes:
            raise NoRoomError


class FileRoom:
    """Sums and candidates for deletion, over the registry of files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stored_bytes(self, *, now: float) -> int:
        """Return the number of bytes at Gemini, of all owners."""
        async with self._database.transaction() as session:
            return int(await session.scalar(_stored(now, None)) or 0)

    async def left(self, limit: RoomLimit, *, now: float) -> int:
        """Return the number of bytes that a limit leaves to its owner; at least 0."""
        async with self._database.transaction() as session:
            stored = await session.scalar(_stored(now, limit.owner, with_users=limit.with_users))
            return max(0, limit.most_bytes - int(stored or 0))

    async def next_expiry(self, *, now: float) -> float | None:
        """Return the time at which the next upload expires, None without uploads."""
        async with self._database.transaction() as session:
            return await session.scalar(select(func.min(UploadRow.expires_at)).where(UploadRow.expires_at > now))

    async def least_used_kept(self, *, now: float) -> StoredFile | None:
        """Return the file kept from a call that was used longest ago, which makes room first."""
        sent = select(FileRow.upload_name).where(FileRow.origin != Origin.KEPT, FileRow.deleted_at.is_(None))
        query = select(FileRow, UploadRow).join(UploadRow, FileRow.upload_name == UploadRow.name)
        query = query.where(is_live(now), FileRow.origin == Origin.KEPT, UploadRow.name.not_in(sent))
        async with self._database.transaction() as session:
            row = (await session.execute(query.order_by(UploadRow.used_at).limit(1))).first()
            return file_of(row[0], row[1]) if row else None
