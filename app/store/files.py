"""The registry of files: every query about uploads and their ids.

Each query decides access by the owner. This module knows no HTTP, no Gemini call and no clock: `now` is Gemini's time
in seconds, passed by the caller.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NameTakenError, UploadFailedError
from app.store.database import Database
from app.store.file_room import check_room, take_turn
from app.store.file_rows import file_of, is_live, upload_of
from app.store.records import FilePage, MediaFacts, Origin, RoomLimit, SentBytes, StoredFile, Upload, UploadState
from app.store.schema import FileRow, UploadRow


class FileRegistry:
    """Files and uploads, by owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        name: str,
        *,
        owner: str,
        mime_type: str,
        size_bytes: int,
        now: float,
        expires_at: float,
        lease_until: float,
        alias: str | None = None,
        room: Sequence[RoomLimit] = (),
    ) -> None:
        """Record an upload before it starts; `size_bytes` is the declared size, or 0 if unknown.

        Raises NameTakenError if the owner has a live file named `alias`, and NoRoomError if the stored bytes would
        exceed a limit of `room`. Simultaneous uploads never share room.
        """
        try:
            await self._begin(
                name,
                owner,
                mime_type,
                size_bytes,
                now=now,
                expires_at=expires_at,
                lease_until=lease_until,
                alias=alias,
                room=room,
            )
        except IntegrityError:
            raise NameTakenError(f"Resource files/{alias} already exists.") from None

    async def _begin(
        self,
        name: str,
        owner: str,
        mime_type: str,
        size_bytes: int,
        *,
        now: float,
        expires_at: float,
        lease_until: float,
        alias: str | None,
        room: Sequence[RoomLimit],
    ) -> None:
        async with self._database.transaction() as session:
            await take_turn(session, room)
            if alias is not None:
                gone = update(UploadRow).where(UploadRow.owner == owner, UploadRow.alias == alias)
                await session.execute(gone.where(UploadRow.expires_at <= now).values(alias=None))
            session.add(
                UploadRow(
                    name=name,
                    owner=owner,
                    state=UploadState.UPLOADING,
                    mime_type=mime_type,
                    size_bytes=size_bytes,
                    created_at=now,
                    used_at=now,
                    expires_at=expires_at,
                    lease_until=lease_until,
                    alias=alias,
                )
            )
            await check_room(session, room, now=now)

    async def grow(self, name: str, *, size_bytes: int, now: float, room: Sequence[RoomLimit]) -> None:
        """Record the current size of an upload of unknown size; raises NoRoomError as `begin` does."""
        async with self._database.transaction() as session:
            await take_turn(session, room)
            await session.execute(update(UploadRow).where(UploadRow.name == name).values(size_bytes=size_bytes))
            await check_room(session, room, now=now)

    async def set_session(self, name: str, sealed: bytes) -> None:
        """Store an upload's sealed session URL."""
        await self._update(name, session=sealed)

    async def set_leases(self, names: Collection[str], *, lease_until: float) -> None:
        """Set the time until which a process answers for these uploads."""
        if names:
            async with self._database.transaction() as session:
                # Uploads with an id are excluded: they live without a lease.
                carried = update(UploadRow).where(UploadRow.name.in_(tuple(names)), UploadRow.lease_until.is_not(None))
                await session.execute(carried.values(lease_until=lease_until))

    async def complete(
        self,
        name: str,
        *,
        state: UploadState,
        size_bytes: int,
        sha256: str,
        uri: str,
        facts: MediaFacts,
        expires_at: float,
        error: str | None,
        document: str | None = None,
        named: str | None = None,
    ) -> None:
        """Record a finalized upload. Its lease stays until the upload has an id."""
        await self._update(
            name,
            state=state,
            size_bytes=size_bytes,
            sha256=sha256,
            uri=uri,
            session=None,
            expires_at=expires_at,
            error=error,
            document=document,
            named=named,
            **asdict(facts),
        )

    async def set_state(self, name: str, state: UploadState, *, error: str | None, duration: float | None) -> None:
        """Record Gemini's state of a file, and its duration."""
        values: dict[str, object] = {"state": state, "error": error}
        if duration is not None:
            values["duration"] = duration
        await self._update(name, **values)

    async def _update(self, name: str, **values: object) -> None:
        async with self._database.transaction() as session:
            await session.execute(update(UploadRow).where(UploadRow.name == name).values(**values))

    async def add_file(
        self,
        file_id: str,
        *,
        owner: str,
        upload_name: str,
        origin: Origin,
        filename: str | None,
        now: float,
        is_reused: bool = False,
        is_only: bool = False,
        sent: SentBytes | None = None,
    ) -> StoredFile:
        """Add an id to an upload, which from now on lives by its ids and its expiry, not by a lease.

        With `is_only`, an upload that has an id keeps that id alone. `sent` are the bytes that the client sent, if
        Gemini has others. Raises UploadFailedError if the upload is gone.
        """
        async with self._database.transaction() as session:
            # The write comes first, because it locks the row (with SQLite the database) against others that add or
            # delete ids.
            await session.execute(update(UploadRow).where(UploadRow.name == upload_name).values(used_at=now))
            upload = await session.get(UploadRow, upload_name)
            # A reused upload has no lease; a lease, or lost bytes, mean that the upload is being deleted.
            is_going = upload is not None and (not upload.size_bytes or (is_reused and upload.lease_until is not None))
            if upload is None or is_going:
                raise UploadFailedError("The file was deleted while it was being used; send the request again.")
            upload.lease_until = None
            if is_only:
                given = select(FileRow).where(FileRow.upload_name == upload_name, FileRow.deleted_at.is_(None))
                first = (await session.scalars(given.limit(1))).first()
                if first is not None:
                    return file_of(first, upload)
            row = FileRow(
                id=file_id,
                owner=owner,
                upload_name=upload_name,
                origin=origin,
                filename=filename,
                created_at=now,
                sent_bytes=None if sent is None else sent.size_bytes,
                sent_sha256=None if sent is None else sent.sha256,
            )
            session.add(row)
            return file_of(row, upload)

    async def get(self, name: str) -> Upload | None:
        """Return an upload by its name; for the gateway itself, not for clients."""
        async with self._database.transaction() as session:
            row = await session.get(UploadRow, name)
            return upload_of(row) if row else None

    async def find(self, owner: str, file_id: str, *, now: float) -> StoredFile | None:
        """Return a live file by its id if it belongs to the owner, else None."""
        async with self._database.transaction() as session:
            return await self._one(session, FileRow.id == file_id, FileRow.owner == owner, is_live(now))

    async def find_known(self, owner: str, sha256: str, *, after: float) -> StoredFile | None:
        """Return a ready file of the owner with these bytes that lives beyond `after`, or None."""
        async with self._database.transaction() as session:
            return await self._one(
                session,
                FileRow.owner == owner,
                UploadRow.sha256 == sha256,
                UploadRow.state.in_((UploadState.ACTIVE, UploadState.PROCESSING)),
                is_live(after),
            )

    async def find_named(self, owner: str, names: Collection[str], *, now: float) -> dict[str, StoredFile]:
        """Return live files of the owner by their names at Gemini, or by the owner's own names."""
        wanted = tuple(names)
        is_named = or_(UploadRow.name.in_(wanted), UploadRow.alias.in_(wanted))
        query = select(FileRow, UploadRow).join(UploadRow, FileRow.upload_name == UploadRow.name)
        query = query.where(FileRow.owner == owner, is_named, UploadRow.size_bytes > 0, is_live(now))
        async with self._database.transaction() as session:
            rows = (await session.execute(query.order_by(FileRow.created_at))).all()
        found = [file_of(row[0], row[1]) for row in rows]
        return {name: file for file in found for name in (file.upload.name, file.upload.alias) if name is not None}

    async def page_of_uploads(
        self, owner: str, *, now: float, limit: int, after: str | None
    ) -> tuple[tuple[Upload, ...], bool]:
        """Return an owner's uploads at Gemini, newest first, each once, after the upload named `after`."""
        is_held = exists().where(
            FileRow.upload_name == UploadRow.name, FileRow.owner == owner, FileRow.deleted_at.is_(None)
        )
        where = [UploadRow.owner == owner, UploadRow.expires_at > now, UploadRow.size_bytes > 0, is_held]
        async with self._database.transaction() as session:
            if after is not None:
                last = await session.get(UploadRow, after)
                if last is None or last.owner != owner:
                    return (), False
                older = and_(UploadRow.created_at == last.created_at, UploadRow.name < last.name)
                where.append(or_(UploadRow.created_at < last.created_at, older))
            query = select(UploadRow).where(*where)
            query = query.order_by(UploadRow.created_at.desc(), UploadRow.name.desc()).limit(limit + 1)
            rows = (await session.scalars(query)).all()
        return tuple(upload_of(row) for row in rows[:limit]), len(rows) > limit

    async def set_document(self, name: str, document: str) -> None:
        """Store Gemini's description of a file."""
        await self._update(name, document=document)

    async def _one(self, session: AsyncSession, *where: ColumnElement[bool]) -> StoredFile | None:
        query = select(FileRow, UploadRow).join(UploadRow, FileRow.upload_name == UploadRow.name).where(*where)
        row = (await session.execute(query.order_by(FileRow.created_at.desc()).limit(1))).first()
        return file_of(row[0], row[1]) if row else None

    async def page(
        self,
        owner: str,
        *,
        now: float,
        limit: int,
        after: str | None,
        state: UploadState | None,
        sha256: str | None,
        filename: str | None,
    ) -> FilePage:
        """Return an owner's live files, newest first, after the file with the id `after`.

        Raises LookupError if the owner has, and had, no file of that id.
        """
        where = [FileRow.owner == owner, is_live(now)]
        if state is not None:
            where.append(UploadRow.state == state)
        if sha256 is not None:
            is_transcoded = FileRow.sent_sha256 == sha256
            where.append(or_(is_transcoded, and_(FileRow.sent_sha256.is_(None), UploadRow.sha256 == sha256)))
        if filename is not None:
            where.append(FileRow.filename == filename)
        async with self._database.transaction() as session:
            if after is not None:
                last = await session.get(FileRow, after)
                if last is None or last.owner != owner:
                    raise LookupError(after)
                older = and_(FileRow.created_at == last.created_at, FileRow.id < last.id)
                where.append(or_(FileRow.created_at < last.created_at, older))
            query = select(FileRow, UploadRow).join(UploadRow, FileRow.upload_name == UploadRow.name).where(*where)
            query = query.order_by(FileRow.created_at.desc(), FileRow.id.desc()).limit(limit + 1)
            rows = (await session.execute(query)).all()
        return FilePage(tuple(file_of(row[0], row[1]) for row in rows[:limit]), has_more=len(rows) > limit)

    async def delete_file(self, owner: str, file_id: str, *, now: float, lease_until: float) -> tuple[bool, str | None]:
        """Delete one of the owner's ids.

        Returns whether the id is (or until its expiry was) the owner's, and the upload's name if this was its last id.
        That upload then has a lease, so that it is deleted at Gemini even if this process ends now.
        """
        async with self._database.transaction() as session:
            query = select(FileRow, UploadRow).join(UploadRow, FileRow.upload_name == UploadRow.name)
            query = query.where(FileRow.id == file_id, FileRow.owner == owner, UploadRow.expires_at > now)
            row = (await session.execute(query.with_for_update())).first()
            if row is None:
                return False, None
            file, upload = row
            if file.deleted_at is not None:
                return True, None
            file.deleted_at = now
            others = select(func.count()).where(FileRow.upload_name == upload.name, FileRow.deleted_at.is_(None))
            await session.flush()
            if await session.scalar(others):
                return True, None
            upload.lease_until = lease_until
            return True, upload.name

    async def forget(self, name: str) -> None:
        """Record that an upload no longer exists at Gemini.

        Deleted ids stay until their expiry, so that deleting them again succeeds; other ids are removed too.
        """
        async with self._database.transaction() as session:
            await session.execute(delete(FileRow).where(FileRow.upload_name == name, FileRow.deleted_at.is_(None)))
            left = await session.scalar(select(func.count()).where(FileRow.upload_name == name))
            if left:
                gone = {
                    "state": UploadState.FAILED,
                    "size_bytes": 0,
                    "session": None,
                    "lease_until": None,
                    "alias": None,
                }
                await session.execute(update(UploadRow).where(UploadRow.name == name).values(**gone))
            else:
                await session.execute(delete(UploadRow).where(UploadRow.name == name))

    async def touch(self, name: str, *, now: float) -> None:
        """Record that an upload was used, for the choice of files that make room."""
        await self._update(name, used_at=now)
