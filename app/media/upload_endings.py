"""The ways in which an upload ends without a file that its client keeps: cancelled, abandoned, discarded, reclaimed.

    session or name ──> cancel at Gemini ──> delete at Gemini ──> forget the row

A row stays under an ended lease until Gemini has confirmed the deletion, so that the sweep can try again.
"""

from cryptography.fernet import InvalidToken

from app.errors import GatewayError
from app.gemini.clock import GeminiClock
from app.gemini.remote_files import RemoteFiles
from app.gemini.resumable import ResumableSession
from app.gemini.uploads import ResumableUploads
from app.media.background_tasks import BackgroundTasks
from app.store.files import FileRegistry
from app.store.records import Upload
from app.store.secrets import Vault


class UploadEndings:
    """Ends uploads. `carried` are the names of the uploads whose leases this process renews."""

    def __init__(
        self,
        registry: FileRegistry,
        remote: RemoteFiles,
        uploads: ResumableUploads,
        clock: GeminiClock,
        vault: Vault,
        background: BackgroundTasks,
        carried: set[str],
    ) -> None:
        self._registry = registry
        self._remote = remote
        self._uploads = uploads
        self._clock = clock
        self._vault = vault
        self._background = background
        self._carried = carried

    def discard(self, name: str) -> None:
        """Delete a finalized upload that nobody keeps, in the background."""
        self._background.submit(self._discard(name))

    async def cancel(self, session: ResumableSession, *, may_be_final: bool) -> None:
        """Cancel an upload as its client asks; a file that Gemini may have made of the upload is deleted.

        Raises the error of Gemini's refusal to delete; the sweep then tries again.
        """
        await session.cancel()
        if may_be_final:
            await self._discard(session.name)
        else:
            await self._registry.forget(session.name)

    def abandon(self, session: ResumableSession) -> None:
        """Cancel an upload that will not be finished, in the background; a file that came of it is deleted too."""
        self._background.submit(self._abandon(session))

    async def reclaim(self, upload: Upload) -> None:
        """Cancel or delete an upload that its process has abandoned. Raises GatewayError if Gemini does not answer."""
        if upload.session is not None:
            await self._cancel_sealed(upload.name, upload.session)
        await self._remote.delete(upload.name)
        await self._registry.forget(upload.name)

    async def remove(self, name: str) -> None:
        """Delete an upload whose last id was deleted; if Gemini does not answer, the sweep tries again."""
        try:
            await self._remote.delete(name)
        except GatewayError:
            return
        await self._registry.forget(name)

    async def _discard(self, name: str) -> None:
        self._carried.discard(name)
        await self._registry.set_leases({name}, lease_until=self._clock.now())
        await self._remote.delete(name)
        await self._registry.forget(name)

    async def _abandon(self, session: ResumableSession) -> None:
        await session.cancel()
        await self._discard(session.name)

    async def _cancel_sealed(self, name: str, sealed: bytes) -> None:
        try:
            url = self._vault.unseal(sealed)
        except InvalidToken:
            # Sealed with another secret: the session ends by itself, and the caller still deletes the name.
            return
        await self._uploads.resume(url, name=name).cancel()
