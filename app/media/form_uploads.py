"""The uploads of one request's files: opened, written, finished or reused, and closed however the request ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.media.buffers import HeldBytes, HeldShare
from app.media.file_service import FileService
from app.media.incoming_file import IncomingFile, Reused
from app.media.transfer import Transfer
from app.settings import Settings
from app.store.records import NO_STORED_LIMITS, Origin, SentBytes, StoredFile, StoredLimits


@dataclass(frozen=True, slots=True)
class FormFileServices:
    """The services that the files of a form use.

    `take_bytes` counts a file's bytes before they are used, and raises the refusal of a limit; the limits are the
    owner's own, None without a limit.
    """

    files: FileService
    held_bytes: HeldBytes
    settings: Settings
    take_bytes: Callable[[int], Awaitable[None]]
    max_file_bytes: int | None = None
    stored_limits: StoredLimits = NO_STORED_LIMITS


class FormUploads:
    """The uploads of one owner's request. `share` is the request's part of the held bytes."""

    def __init__(self, services: FormFileServices, owner: str, share: HeldShare) -> None:
        self._services = services
        self._files = services.files
        self._owner = owner
        self._share = share
        self._open: list[Transfer] = []
        self._unkept: list[str] = []
        # Bytes of each file that are already counted against the owner's limits.
        self._counted: dict[int, int] = {}

    @property
    def pending_bytes(self) -> int:
        """Return the bytes that Gemini has not acknowledged yet."""
        return sum(transfer.size_bytes - transfer.acknowledged_bytes for transfer in self._open)

    async def count(self, file: IncomingFile, size_bytes: int) -> None:
        """Count a file's first `size_bytes` against the owner's limits; raises the refusal of a limit."""
        counted = self._counted.get(file.index, 0)
        if size_bytes > counted:
            await self._services.take_bytes(size_bytes - counted)
            self._counted[file.index] = size_bytes

    async def known(self, sha256: str) -> StoredFile | None:
        """Return a file of the owner's with these bytes, None if there is none."""
        return await self._files.known(self._owner, sha256)

    async def open(self, file: IncomingFile) -> Transfer:
        """Open an upload for a file.

        Raises BusyError, StoredBytesError, FileQuotaError, and the error of Gemini's refusal.
        """
        services = self._services
        size = file.upload_bytes
        await self._files.room_for(self._owner, size or 0, at_most=services.stored_limits)
        services.held_bytes.begin_upload()
        try:
            await self.count(file, size or 0)
            mime_type = file.type.mime_type
            session = await self._files.start(
                self._owner, mime_type=mime_type, size_bytes=size, at_most=services.stored_limits
            )
            try:
                transfer = Transfer(session, mime_type=mime_type, chunk_bytes=services.settings.chunk_bytes)
            except OSError:
                # There is no memory for its chunks, so the session must be closed.
                self._files.endings.abandon(session)
                raise
        except BaseException:
            # However the upload ended, also by cancellation, its slot is released.
            services.held_bytes.end_upload()
            raise
        self._open.append(transfer)
        return transfer

    async def write(self, file: IncomingFile, transfer: Transfer, piece: memoryview) -> None:
        """Upload a piece of a file; raises the refusal of a limit, and the errors of sending."""
        if file.size_bytes - self._counted.get(file.index, 0) >= self._services.settings.chunk_bytes:
            # The length is unknown, so the file is counted as it arrives, chunk by chunk.
            await self.count(file, file.size_bytes)
            name, at_most = transfer.session.name, self._services.stored_limits
            await self._files.grow(self._owner, name, file.size_bytes, at_most=at_most)
        await transfer.write(piece)

    async def end(self, transfer: Transfer) -> None:
        """End a file's bytes. Raises BusyError and the errors of sending."""
        await transfer.end()
        # The rest of a small file is its last granule, which is held like any media and needs no upload slot.
        if transfer.is_all_held:
            self._services.held_bytes.end_upload()
            self._share.reserve(transfer.size_bytes)

    async def finish(self, file: IncomingFile, transfer: Transfer) -> None:
        """Finish an upload, or reuse a file with the same bytes. Raises WrongClaimError and the errors of uploads."""
        sha256 = await transfer.settled()
        if file.transcoded_from is None:
            file.settle_digest(sha256)
        known = await self.known(sha256)
        if known is not None:
            file.reuse(known)
            self._give_up(transfer)
            return
        remote = await transfer.finalize()
        self._leave(transfer)
        self._unkept.append(remote.name)
        file.finish(remote)
        await self._files.complete(remote, size_bytes=transfer.size_bytes, sha256=sha256, facts=transfer.facts)

    async def keep(self, file: IncomingFile, name: str, origin: Origin) -> None:
        """Add an id of the owner's to the upload `name` of a file. Raises UploadFailedError if the upload is gone."""
        sent = None if file.transcoded_from is None else SentBytes(file.size_bytes, file.sha256 or "")
        is_reused = isinstance(file.state, Reused)
        file.keep(
            await self._files.add(
                self._owner, name, origin=origin, filename=file.filename, is_reused=is_reused, sent=sent
            )
        )
        if name in self._unkept:
            self._unkept.remove(name)

    async def close(self) -> None:
        """Cancel unfinished uploads, and delete finished files that are not to be kept."""
        transfers = tuple(self._open)
        try:
            for transfer in transfers:
                await transfer.stop()
        finally:
            # Also if this wait is cancelled, because nobody else would close these sessions.
            for transfer in transfers:
                self._give_up(transfer)
            for name in self._unkept:
                self._files.endings.discard(name)
            self._unkept.clear()

    def _give_up(self, transfer: Transfer) -> None:
        self._leave(transfer)
        self._files.endings.abandon(transfer.session)

    def _leave(self, transfer: Transfer) -> None:
        self._open.remove(transfer)
        if not transfer.is_all_held:
            self._services.held_bytes.end_upload()
