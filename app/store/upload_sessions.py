"""Sessions of Gemini's own upload protocol, stored between two commands: one writer at a time.

    add ──> begin_writing (fence + 1) ──> progress ... ──> end_writing      a writer with an old fence changes nothing

This module knows no HTTP and no clock: callers pass `now`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from app.store.database import Database


@dataclass(frozen=True, slots=True)
class UploadSession:
    """One session: its upload, its owner, the bytes known to be at Gemini, and its writer.

    `sealed` is the sealed URL at Gemini, None once the upload is complete. The fields are in the query's order.
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
    lease_until: float | None


_GET = text(
    "SELECT s.token_hash, s.upload_name, u.owner, u.mime_type, s.declared_bytes, s.granularity, s.received, "
    "s.is_unsure, s.fence, s.writing_until, s.scan, u.session, u.alias, u.document, u.lease_until "
    "FROM upload_sessions s JOIN uploads u ON u.name = s.upload_name WHERE s.token_hash = :token_hash"
)
_ADD = text(
    "INSERT INTO upload_sessions (token_hash, upload_name, declared_bytes, granularity, received, is_unsure, fence, "
    "writing_until, scan) VALUES (:token_hash, :upload_name, :declared_bytes, :granularity, 0, false, 0, 0, :scan)"
)
_BEGIN = text(
    # A writer whose lease ended may still have bytes under way: the bytes at Gemini are unsure, and may differ from the
    # bytes that are scanned from here on.
    "UPDATE upload_sessions SET fence = fence + 1, is_unsure = is_unsure OR writing_until > 0, "
    "scan = CASE WHEN writing_until > 0 THEN NULL ELSE scan END, writing_until = :until "
    "WHERE token_hash = :token_hash AND writing_until <= :now RETURNING fence"
)
_PROLONG = text("UPDATE uploads SET lease_until = :until WHERE name = :name AND lease_until IS NOT NULL")
_RENEW = text(
    # A returned lease stays returned.
    "UPDATE upload_sessions SET writing_until = :until WHERE token_hash = :token_hash AND fence = :fence "
    "AND writing_until > 0 RETURNING fence"
)
_END = text(
    "UPDATE upload_sessions SET writing_until = 0, received = :received, is_unsure = :is_unsure, scan = :scan "
    "WHERE token_hash = :token_hash AND fence = :fence RETURNING fence"
)


# An upload's lease is extended in steps, which saves a write per chunk.
LEASE_STEP_S = 600.0


class WritingElsewhereError(Exception):
    """Another request writes to the session of the upload `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class UploadSessions:
    """The sessions of all clients. Beginning and ending to write are short transactions, each one round trip."""

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
        """Record a new session."""
        values = {
            "token_hash": token_hash,
            "upload_name": upload_name,
            "declared_bytes": declared_bytes,
            "granularity": granularity,
            "scan": scan,
        }
        await self._database.run(lambda connection: connection.execute(_ADD, values))

    async def get(self, token_hash: str) -> UploadSession | None:
        """Return a session; None if the session does not exist."""

        def work(connection: Connection) -> UploadSession | None:
            row = connection.execute(_GET, {"token_hash": token_hash}).first()
            return None if row is None else UploadSession(*row)

        return await self._database.run(work)

    async def begin_writing(
        self, token_hash: str, *, owner: str | None, now: float, until: float, lease_until: float
    ) -> UploadSession | None:
        """Become a session's writer until `until`; return the session with the writer's fence.

        Return None if `owner` (None: any owner) has no such session. Raises WritingElsewhereError while another
        writer's lease lasts. The upload itself is kept until `lease_until`.
        """
        values = {"token_hash": token_hash, "now": now, "until": until}

        def work(connection: Connection) -> UploadSession | None:
            # Written first: SQLite lets no transaction write that began by reading while another wrote.
            is_mine = connection.execute(_BEGIN, values).first() is not None
            row = connection.execute(_GET, {"token_hash": token_hash}).first()
            if row is None:
                return None
            session = UploadSession(*row)
            if owner not in {None, session.owner}:
                connection.rollback()
                return None
            if not is_mine:
                raise WritingElsewhereError(session.upload_name)
            if session.lease_until is not None and session.lease_until < lease_until - LEASE_STEP_S:
                connection.execute(_PROLONG, {"name": session.upload_name, "until": lease_until})
            return session

        return await self._database.run(work)

    async def renew(self, token_hash: str, *, fence: int, until: float) -> bool:
        """Extend a writer's lease; return whether the writer still had the lease."""
        values = {"token_hash": token_hash, "fence": fence, "until": until}
        return await self._database.run(lambda connection: connection.execute(_RENEW, values).first() is not None)

    async def end_writing(
        self, token_hash: str, *, fence: int, received: int, is_unsure: bool, scan: bytes | None
    ) -> bool:
        """Release a writer's lease and record the bytes at Gemini; return whether the writer still had the lease."""
        values = {
            "token_hash": token_hash,
            "fence": fence,
            "received": received,
            "is_unsure": is_unsure,
            "scan": scan,
        }
        return await self._database.run(lambda connection: connection.execute(_END, values).first() is not None)
