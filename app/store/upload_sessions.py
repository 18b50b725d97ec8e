"""Sessions of Gemini's own upload protocol, as they are remembered between two commands: one writer at a time.

    open ──> begin_writing (fence + 1) ──> progress ... ──> end_writing      a writer whose fence is old changes nothing

It knows no HTTP and no clock of its own: `now` is given by the caller.
"""

from dataclasses import dataclass

from sqlalchemy import select, update

from app.store.database import Database
from app.store.schema import UploadRow, UploadSessionRow


@dataclass(frozen=True, slots=True)
class UploadSession:
    """One session: its upload, whose it is, what Gemini is known to have of it, and the writer that this was read for.

    `sealed` is the sealed address at Gemini, None when the upload is complete.
    """

    token_hash: str
    upload_name: str
    owner: str
    mime_type: str
    declared_bytes: int | None
    granularity: int
    received: int
    is_unsure: bool
    fence: int
    writing_until: float
    scan: bytes | None
    sealed: bytes | None
    alias: str | None
    document: str | None


class UploadSessions:
    """The sessions of all clients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        token_hash: str,
        *,
        upload_name: str,
        declared_bytes: int | None,
        granularity: int,
        scan: bytes | None,
    ) -> None:
        """Write a session down."""
        async with self._database.transaction() as session:
            session.add(
                UploadSessionRow(
                    token_hash=token_hash,
                    upload_name=upload_name,
                    declared_bytes=declared_bytes,
                    granularity=granularity,
                    received=0,
                    is_unsure=False,
                    fence=0,
                    writing_until=0.0,
                    scan=scan,
                )
            )

    async def get(self, token_hash: str) -> UploadSession | None:
        """Get a session."""
        query = select(UploadSessionRow, UploadRow).join(UploadRow, UploadSessionRow.upload_name == UploadRow.name)
        async with self._database.transaction() as session:
            row = (await session.execute(query.where(UploadSessionRow.token_hash == token_hash))).first()
        return None if row is None else _session(row[0], row[1])

    async def begin_writing(self, token_hash: str, *, fence: int, now: float, until: float, evicts: bool) -> bool:
        """Become the session's writer after the one numbered `fence`; False when another has, or still writes.

        `evicts` says that the writer until now is known to have stopped.
        """
        mine = update(UploadSessionRow).where(
            UploadSessionRow.token_hash == token_hash, UploadSessionRow.fence == fence
        )
        if not evicts:
            mine = mine.where(UploadSessionRow.writing_until <= now)
        async with self._database.transaction() as session:
            taken = mine.values(fence=fence + 1, writing_until=until, is_unsure=True).returning(UploadSessionRow.fence)
            return (await session.execute(taken)).first() is not None

    async def renew(self, token_hash: str, *, fence: int, until: float) -> bool:
        """Say that the writer goes on; False when it is not the writer any more."""
        return await self._change(token_hash, fence, writing_until=until)

    async def end_writing(
        self, token_hash: str, *, fence: int, received: int, is_unsure: bool, scan: bytes | None
    ) -> bool:
        """Say what Gemini has now, and let others write; False when another writes already."""
        return await self._change(
            token_hash, fence, writing_until=0.0, received=received, is_unsure=is_unsure, scan=scan
        )

    async def _change(self, token_hash: str, fence: int, **values: object) -> bool:
        mine = update(UploadSessionRow).where(
            UploadSessionRow.token_hash == token_hash, UploadSessionRow.fence == fence
        )
        async with self._database.transaction() as session:
            changed = mine.values(**values).returning(UploadSessionRow.fence)
            return (await session.execute(changed)).first() is not None


def _session(row: UploadSessionRow, upload: UploadRow) -> UploadSession:
    return UploadSession(
        token_hash=row.token_hash,
        upload_name=row.upload_name,
        owner=upload.owner,
        mime_type=upload.mime_type,
        declared_bytes=row.declared_bytes,
        granularity=row.granularity,
        received=row.received,
        is_unsure=row.is_unsure,
        fence=row.fence,
        writing_until=row.writing_until,
        scan=row.scan,
        sealed=upload.session,
        alias=upload.alias,
        document=upload.document,
    )
