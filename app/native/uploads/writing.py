"""The one writer of a session: only one request at a time, across all processes.

    arrive ──> this process's writer ──> the lease (all processes) ──> the block ──> lease released, progress recorded

A client whose connection broke returns while the gateway still waits for the rest of the old chunk. In the same process
the new request ends the old request at once; a request at another process is refused until the old request releases its
lease, or has made no progress for the time of a lease.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.native.services import NativeCall
from app.native.uploads.address import gone
from app.native.uploads.leases import RENEW_S, WriterLease
from app.native.uploads.lines import UploadedLines
from app.native.writers import Writer, conflict
from app.store.upload_sessions import UploadSession, WritingElsewhereError

# Seconds for which a session waits for its client's next command.
SESSION_LIFETIME_S = 24 * 3600.0
# Seconds for which a session waits after its last chunk failed; then a file that Gemini made after all is deleted.
DOUBT_S = 600.0


@dataclass(slots=True)
class Writing:
    """The one writer of a session. `lines` scans a batch's file; None for other files.

    `received` is the number of bytes at Gemini; if not `is_sure`, the last certain number. `is_in_doubt` means that
    Gemini may have finished the file.
    """

    call: NativeCall
    lease: WriterLease
    received: int
    lines: UploadedLines | None
    is_sure: bool
    is_in_doubt: bool = False
    is_recorded: bool = False
    _waits_since: float | None = None

    @property
    def session(self) -> UploadSession:
        """The session as read when this writer began."""
        return self.lease.session

    @property
    def is_stalled(self) -> bool:
        """Whether the client has been silent for so long that its next request may take over at another process."""
        return self._waits_since is not None and time.monotonic() - self._waits_since >= RENEW_S

    def wait_for_client(self, *, is_waiting: bool) -> None:
        """Record that the writer begins or ends waiting for its client."""
        self._waits_since = time.monotonic() if is_waiting else None

    def stand_at(self, received: int) -> None:
        """Record the certain number of bytes at Gemini."""
        self.received, self.is_sure, self.is_in_doubt = received, True, False
        if self.lines is not None:
            self.lines.stand_at(received)

    async def hold(self) -> None:
        """Make sure, before bytes are sent to Gemini, that this is still the writer. Raises UploadConflictError."""
        if not self.lease.is_fresh and not await self.call.services.leases.renew(self.lease):
            raise conflict(self.session.upload_name)


@asynccontextmanager
async def writing(call: NativeCall, token_hash: str, writer: Writer) -> AsyncIterator[Writing]:
    """Run a block as the session's writer, and record the upload's progress at every ending of the block.

    `writer` is this request, with its number in the order of arrival. Raises UploadConflictError while or as soon as
    another request writes, and ResourceNotFoundError if the client has no such session.
    """
    services = call.services
    await services.writers.take(token_hash, writer)
    ending: asyncio.Task[None] | None = None
    try:
        own = await _begin(call, token_hash)
        try:
            async with services.leases.renewing(own.lease, lambda: own.is_stalled):
                yield own
        finally:
            writer.is_ending = True
            # Done even if this request is cancelled, since the next writer needs the lease and the progress.
            ending = services.leases.in_background(_end(own))
            ending.add_done_callback(lambda _: services.writers.leave(token_hash, writer))
            await asyncio.shield(ending)
    except asyncio.CancelledError:
        if not writer.was_ended:
            raise
        raise conflict() from None
    finally:
        if writer.was_ended:
            writer.task.uncancel()
        if ending is None:
            services.writers.leave(token_hash, writer)


async def _begin(call: NativeCall, token_hash: str) -> Writing:
    now = call.services.files.now()
    try:
        lease = await call.services.leases.begin(token_hash, owner=call.client.id, lease_until=now + SESSION_LIFETIME_S)
    except WritingElsewhereError as error:
        raise conflict(error.name) from None
    if lease is None:
        raise gone()
    session = lease.session
    # Only an upload in doubt at the end of its last writer gets so short a lease.
    was_in_doubt = session.lease_until is not None and session.lease_until < now + DOUBT_S
    lines = None if session.scan is None else UploadedLines.restore(session.scan)
    is_sure = not session.is_unsure
    return Writing(call, lease, session.received, lines, is_sure=is_sure, is_in_doubt=was_in_doubt and not is_sure)


async def _end(own: Writing) -> None:
    session = replace(
        own.session,
        received=own.received,
        is_unsure=not own.is_sure,
        scan=None if own.lines is None else own.lines.save(),
    )
    is_held = await own.call.services.leases.end(session)
    if own.is_recorded:
        return
    if not is_held:
        raise conflict(session.upload_name)
    if own.is_in_doubt:
        await own.call.services.files.put_down(session.upload_name, for_s=DOUBT_S)
