"""The sweep of files, every minute: leases, abandoned uploads, and every hour Gemini's own list.

    renew leases ──> list, if due ──> clocks agree? ──> reclaim abandoned uploads ──> drop rows that the list confirms

Nothing is deleted while the clocks differ. A row is dropped days after its expiry, and only if Gemini's list does not
have its file any more. A file without a row is counted and shown, never deleted.
"""

import logging
import time
from collections.abc import Callable

from app.errors import GatewayError
from app.gemini.clock import GeminiClock
from app.gemini.remote_files import RemoteFiles
from app.media.file_service import LEASE_S, FileService
from app.media.reconciliation import Reconciliation, reconcile
from app.store.file_retention import FileRetention
from app.store.files import FileRegistry

log = logging.getLogger("gateway.files")
LIST_INTERVAL_S = 3_600.0
RETRY_LIST_S = 600.0
MENDED_AT_ONCE = 100


class FileSweep:
    """Sweeps the files of all owners."""

    def __init__(
        self,
        files: FileService,
        *,
        registry: FileRegistry,
        retention: FileRetention,
        remote: RemoteFiles,
        clock: GeminiClock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._registry = registry
        self._retention = retention
        self._remote = remote
        self._clock = clock
        self._monotonic = monotonic
        self._list_at = monotonic()
        self._shown: tuple[int, int] = (0, 0)
        self._missing: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Sweep once. Raises StoreUnavailableError if the database is away."""
        await self._files.renew_leases()
        # Before the clocks are asked: after a start, the list is the first answer that tells Gemini's time.
        found = await self._list() if self._monotonic() >= self._list_at else None
        now = self._clock.agreed()
        if now is None:
            return
        await self._reclaim(now)
        if found is not None:
            await self._drop_expired(found)
            await self._mend(found)

    async def _list(self) -> Reconciliation | None:
        self._list_at = self._monotonic() + RETRY_LIST_S
        now = self._clock.expiry_time()
        try:
            listed = await self._remote.list_all()
        except GatewayError as error:
            log.warning("Gemini's list of files could not be read (%s); it is asked for again later", error.code)
            return None
        found = await reconcile(listed, self._retention, now=now)
        self._list_at = self._monotonic() + LIST_INTERVAL_S
        self._show(found)
        return found

    def _show(self, found: Reconciliation) -> None:
        counts = (len(found.orphans), found.foreign)
        if not found.is_whole:
            log.warning("Gemini lists more than %d files; rows of expired files are kept", len(found.names))
        if counts != self._shown:
            log.log(
                logging.WARNING if found.orphans else logging.INFO,
                "%d files at Gemini have this gateway's kind of name and no row here (%d bytes); %d have other names. "
                "They count against the project's quota and are not deleted by the gateway.",
                counts[0],
                found.orphaned_bytes,
                counts[1],
            )
        self._shown = counts

    async def _reclaim(self, now: float) -> None:
        for upload in await self._retention.abandoned(now=now):
            try:
                await self._files.endings.reclaim(upload)
            except GatewayError:
                # The next sweep tries the others first.
                await self._registry.set_leases({upload.name}, lease_until=now + LEASE_S)

    async def _drop_expired(self, found: Reconciliation) -> None:
        before = self._clock.forgettable()
        if before is None or not found.is_whole:
            return
        expired = await self._retention.expired(before=before)
        await self._retention.drop(expired - found.names, expired_before=before)

    async def _mend(self, found: Reconciliation) -> None:
        """Forget rows whose file was missing in two lists in a row and that Gemini does not have by name either."""
        for name in sorted(self._missing & found.missing)[:MENDED_AT_ONCE]:
            try:
                if await self._remote.get(name) is None:
                    await self._registry.forget(name)
            except GatewayError:
                continue
        self._missing = found.missing
