"""The files at Gemini with their owners: started, completed, found, waited for, reused, deleted.

An upload is written down with its owner before it starts, under a lease that its carrier renews; it lives by that lease
until an id stands for it. Every access by a client goes through `resolve`. It knows no form and no HTTP.
"""

import asyncio
import secrets
from collections.abc import Collection
from dataclasses import replace

from cryptography.fernet import InvalidToken

from app.errors import (
    FileFailedError,
    FileNotFoundProblemError,
    FileNotReadyError,
    GatewayError,
    UploadFailedError,
)
from app.gemini.clock import GeminiClock
from app.gemini.remote_files import RemoteFile, RemoteFiles
from app.gemini.request import NAME_CHARS
from app.gemini.resumable import ResumableSession
from app.gemini.uploads import ResumableUploads
from app.media.background_tasks import BackgroundTasks
from app.media.file_states import FileStates, state_of
from app.media.storage_room import StorageRoom
from app.media.upload_endings import UploadEndings
from app.settings import Settings
from app.store.file_room import FileRoom
from app.store.files import FileRegistry
from app.store.records import (
    NO_STORED_LIMITS,
    FilePage,
    MediaFacts,
    NoRoomError,
    Origin,
    SentBytes,
    StoredFile,
    StoredLimits,
    Upload,
    UploadState,
)
from app.store.secrets import Vault

LIFETIME_S = 48 * 3600.0
NAME_PREFIX = "files/"
LEAST_LIFE_S = 600.0
LEASE_S = 300.0
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_name() -> str:
    """Make the name of a file upstream: random, without dashes, of known length."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(NAME_CHARS))


def new_file_id() -> str:
    """Make the id under which a client holds a file."""
    return f"file_{secrets.token_urlsafe(18)}"


class FileService:
    """Files of all owners, each seen only by its own."""

    def __init__(
        self,
        *,
        registry: FileRegistry,
        room: FileRoom,
        uploads: ResumableUploads,
        remote: RemoteFiles,
        clock: GeminiClock,
        vault: Vault,
        background: BackgroundTasks,
        settings: Settings,
    ) -> None:
        self._registry = registry
        self._uploads = uploads
        self._remote = remote
        self._states = FileStates(registry, remote)
        self._clock = clock
        self._vault = vault
        self._background = background
        self._room = StorageRoom(
            room,
            clock,
            per_owner=settings.stored_bytes_per_client,
            high_water=settings.files_high_water_bytes,
            delete=lambda file: self.delete(file.owner, file.id),
        )
        self._carried: set[str] = set()
        self.endings = UploadEndings(registry, remote, uploads, clock, vault, background, self._carried)

    def now(self) -> float:
        """Return Gemini's time in seconds since the epoch."""
        return self._clock.now()

    async def room_for(self, owner: str, size_bytes: int, *, at_most: StoredLimits = NO_STORED_LIMITS) -> None:
        """Make room for `size_bytes` (0 if unknown).

        `at_most` are the client's limits in stored bytes, besides the gateway's own.
        Raises StoredBytesError if a limit leaves no room, FileQuotaError if the project has none.
        """
        await self._room.make(owner, size_bytes, at_most=at_most)

    async def start(
        self,
        owner: str,
        *,
        mime_type: str,
        size_bytes: int | None,
        alias: str | None = None,
        display_name: str | None = None,
        at_most: StoredLimits = NO_STORED_LIMITS,
    ) -> ResumableSession:
        """Record an upload and open its session; the caller owns it until `complete`, `put_down` or `endings`.

        `alias` is the owner's own name for the file. Raises NameTakenError if another file of the owner has the name,
        and StoredBytesError as `room_for` does, since the room may have been taken since.
        """
        name = new_name()
        now = self.now()
        self._carried.add(name)
        try:
            await self._registry.begin(
                name,
                owner=owner,
                mime_type=mime_type,
                size_bytes=size_bytes or 0,
                now=now,
                expires_at=now + LIFETIME_S,
                lease_until=now + LEASE_S,
                alias=alias,
                room=self._room.limits(owner, at_most),
            )
            session = await self._uploads.start(
                name=name, mime_type=mime_type, size_bytes=size_bytes, display_name=display_name
            )
            await self._registry.set_session(name, self._vault.seal(session.url))
        except NoRoomError:
            self._carried.discard(name)
            raise await self._room.full(owner, at_most) from None
        except GatewayError:
            self._carried.discard(name)
            self._background.submit(self._registry.forget(name))
            raise
        except asyncio.CancelledError:
            # Gemini may have opened it all the same.
            self.endings.discard(name)
            raise
        return session

    async def grow(self, owner: str, name: str, size_bytes: int, *, at_most: StoredLimits = NO_STORED_LIMITS) -> None:
        """Count the bytes so far of an upload of unknown size; raises StoredBytesError if they find no room.

        `at_most` is as for `room_for`.
        """
        room = self._room.limits(owner, at_most)
        try:
            await self._registry.grow(name, size_bytes=size_bytes, now=self.now(), room=room)
        except NoRoomError:
            raise await self._room.full(owner, at_most) from None

    async def put_down(self, name: str, *, for_s: float) -> None:
        """Leave an open session, for at most `for_s`, to the process that gets its client's next command."""
        self._carried.discard(name)
        await self._registry.set_leases({name}, lease_until=self.now() + for_s)

    def pick_up_sealed(self, name: str, sealed: bytes | None) -> ResumableSession:
        """Return a session that was put down. Raises UploadFailedError if the session is gone or unreadable."""
        try:
            url = self._vault.unseal(sealed or b"")
        except InvalidToken:
            raise UploadFailedError("The upload's session is not there any more; start the upload again.") from None
        return self._uploads.resume(url, name=name)

    async def complete(
        self,
        file: RemoteFile,
        *,
        size_bytes: int,
        sha256: str,
        facts: MediaFacts,
        named: str | None = None,
    ) -> None:
        """Record a finalized upload; `named` is the note of the objects in a batch file's lines (JSON)."""
        await self._registry.complete(
            file.name,
            state=state_of(file.state),
            size_bytes=size_bytes,
            sha256=sha256,
            uri=file.uri,
            facts=facts if file.duration is None else replace(facts, duration=file.duration),
            expires_at=file.expires_at or self.now() + LIFETIME_S,
            error=file.error,
            document=file.document,
            named=named,
        )

    async def add(
        self,
        owner: str,
        upload_name: str,
        *,
        origin: Origin,
        filename: str | None,
        is_reused: bool = False,
        is_only: bool = False,
        sent: SentBytes | None = None,
    ) -> StoredFile:
        """Add an id of the owner's to an upload; with `is_only`, only to an upload without an id.

        `sent` are the bytes that the client sent, if Gemini has others.
        """
        self._carried.discard(upload_name)
        return await self._registry.add_file(
            new_file_id(),
            owner=owner,
            upload_name=upload_name,
            origin=origin,
            filename=filename,
            now=self.now(),
            is_reused=is_reused,
            is_only=is_only,
            sent=sent,
        )

    async def known(self, owner: str, sha256: str) -> StoredFile | None:
        """Find a file of the owner's with these bytes that lives long enough to be used."""
        return await self._registry.find_known(owner, sha256, after=self._clock.expiry_time() + LEAST_LIFE_S)

    async def resolve(self, owner: str, file_id: str, *, least_life_s: float = 0.0) -> StoredFile:
        """Return a file by its id, or by its name at Gemini (`files/...`). The one place that decides on access.

        Raises FileNotFoundProblemError for a file that is unknown, another's, gone, or about to expire.
        """
        now = self._clock.expiry_time() + least_life_s
        if file_id.startswith(NAME_PREFIX):
            name = file_id.removeprefix(NAME_PREFIX)
            found = (await self._registry.find_named(owner, {name}, now=now)).get(name)
        else:
            found = await self._registry.find(owner, file_id, now=now)
        if found is None:
            raise FileNotFoundProblemError(
                f"There is no file {file_id[:80]!r} (any more). Files live 48 hours: upload it again, use its new id."
            )
        return found

    async def named(self, owner: str, names: Collection[str]) -> dict[str, StoredFile]:
        """Return the owner's files among `names`, which are Gemini's or the owner's own; others are left out.

        Like `resolve`, this method decides on access.
        """
        return await self._registry.find_named(owner, names, now=self._clock.expiry_time())

    async def page_of_uploads(self, owner: str, *, limit: int, after: str | None) -> tuple[tuple[Upload, ...], bool]:
        """Return a page of the owner's uploads at Gemini, newest first, and whether more follow."""
        now = self._clock.expiry_time()
        return await self._registry.page_of_uploads(owner, now=now, limit=limit, after=after)

    async def take_state(self, upload: Upload, state: str, document: str) -> None:
        """Record a file's current state, in Google's word, and its description as JSON."""
        await self._registry.set_document(upload.name, document)
        now = state_of(state)
        if now is not upload.state:
            await self._registry.set_state(upload.name, now, error=upload.error, duration=None)

    async def page(
        self,
        owner: str,
        *,
        limit: int,
        after: str | None,
        state: UploadState | None,
        sha256: str | None,
        filename: str | None,
    ) -> FilePage:
        """List the owner's files, newest first. Raises LookupError if `after` is not the id of one of them."""
        now = self._clock.expiry_time()
        return await self._registry.page(
            owner, now=now, limit=limit, after=after, state=state, sha256=sha256, filename=filename
        )

    async def refreshed(self, file: StoredFile) -> StoredFile:
        """Return the file in its state at Gemini now."""
        return replace(file, upload=await self._states.refresh(file.upload))

    async def settled(self, file: StoredFile, *, timeout_s: float) -> StoredFile:
        """Wait at most `timeout_s` until Gemini has processed the file; return it in its last known state."""
        return replace(file, upload=await self._states.settle(file.upload, timeout_s=timeout_s))

    async def ready(self, name: str, *, timeout_s: float) -> MediaFacts:
        """Wait until the upload can be used; return its facts.

        Raises FileFailedError, FileNotReadyError, FileNotFoundProblemError.
        """
        upload = await self._registry.get(name)
        if upload is None or not upload.size_bytes:
            raise FileNotFoundProblemError("The file is not at Gemini any more: upload it again.")
        upload = await self._states.settle(upload, timeout_s=timeout_s)
        if upload.state is UploadState.FAILED:
            raise FileFailedError(f"Gemini could not process the file: {upload.error or 'it gave no reason.'}")
        if upload.state is not UploadState.ACTIVE:
            raise FileNotReadyError(
                f"Gemini has not finished processing the file within {timeout_s:g} s; ask again later.",
                retry_after_s=10,
            )
        await self._registry.touch(name, now=self.now())
        return upload.facts

    async def processing_again(self, name: str) -> None:
        """Record that Gemini calls a file not ready that was ready before."""
        await self._registry.set_state(name, UploadState.PROCESSING, error=None, duration=None)

    async def close(self, name: str) -> None:
        """Record that Gemini no longer has a file."""
        await self._registry.forget(name)

    async def delete(self, owner: str, file_id: str) -> None:
        """Delete one of the owner's files; its bytes upstream go with its last id.

        Raises FileNotFoundProblemError, but not for a file that the owner has deleted before.
        """
        now = self._clock.expiry_time()
        is_owners, name = await self._registry.delete_file(owner, file_id, now=now, lease_until=self.now())
        if not is_owners:
            raise FileNotFoundProblemError(f"There is no file {file_id[:80]!r}.")
        if name is not None:
            await self.endings.remove(name)

    async def renew_leases(self) -> None:
        """Prolong the leases of the uploads that this process carries."""
        await self._registry.set_leases(self._carried, lease_until=self.now() + LEASE_S)
