"""Who writes to a session: one at a time, wherever its client's commands come to; the newest one wins.

A client whose connection broke comes again while the gateway still waits for the rest of the old chunk. In the same
process the old one is ended at once; another process gives way when its writer makes no progress for its lease's time.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.errors import BusyError, ClientGoneError
from app.native.scanning import JsonLinesScanner
from app.native.services import Call
from app.native.uploads.address import gone
from app.native.uploads.leases import Lease
from app.native.writers import Writer
from app.store.upload_sessions import UploadSession, WritingElsewhereError

SESSION_LIFETIME_S = 24 * 3600.0
"""How long a session waits for its client's next command."""
RENEW_S = 5.0


@dataclass(slots=True)
class Writing:
    """The one writer of a session. `lines` scans a batch's file, None for others.

    `received` is what Gemini has, or had when that was last sure; `is_between_chunks` is set when a chunk has been
    acknowledged and others are to follow.
    """

    call: Call
    lease: Lease
    received: int
    lines: JsonLinesScanner | None
    is_sure: bool
    renewed_at: float
    is_between_chunks: bool = False

    @property
    def session(self) -> UploadSession:
        """The session, as it was when this writer began."""
        return self.lease.session

    @property
    def is_due(self) -> bool:
        """Whether it is time to take note of progress."""
        return time.monotonic() - self.renewed_at >= RENEW_S

    async def go_on(self) -> None:
        """Take note of progress. Raises ClientGoneError when another writes by now."""
        self.renewed_at = time.monotonic()
        if not await self.call.services.leases.renew(self.lease):
            raise ClientGoneError("Another request goes on with this upload.")


@asynccontextmanager
async def writing(call: Call, token_hash: str, writer: Writer) -> AsyncIterator[Writing]:
    """Run a block as the session's writer. Raises BusyError, which is worth repeating, while another process writes.

    `writer` is this request, numbered as it arrived. Raises ResourceNotFoundError if the client has no such session.
    The block's progress is stored at its end, whatever way it ends.
    """
    writers = call.services.writers
    await writers.take(token_hash, writer)
    try:
        try:
            own = await _begin(call, token_hash)
            try:
                yield own
            finally:
                # Also when this request is being cancelled: whoever comes next is to know.
                await asyncio.shield(_end(own))
        finally:
            writers.leave(token_hash, writer)
    except asyncio.CancelledError:
        if not writers.was_ended(writer):
            raise
        writer.task.uncancel()
        raise ClientGoneError("Another request goes on with this upload.") from None


async def _begin(call: Call, token_hash: str) -> Writing:
    lease_until = call.services.files.now() + SESSION_LIFETIME_S
    try:
        lease = await call.services.leases.begin(token_hash, owner=call.client.id, lease_until=lease_until)
    except WritingElsewhereError:
        raise BusyError("Another request goes on with this upload; try again in a moment.", retry_after_s=2) from None
    if lease is None:
        raise gone()
    session = lease.session
    lines = None if session.scan is None else JsonLinesScanner.restore(session.scan)
    return Writing(call, lease, session.received, lines, is_sure=not session.is_unsure, renewed_at=lease.taken_at)


async def _end(own: Writing) -> None:
    session = replace(
        own.session,
        received=own.received,
        is_unsure=not own.is_sure,
        scan=None if own.lines is None else own.lines.save(),
    )
    await own.call.services.leases.end(own.lease, session, is_between_chunks=own.is_between_chunks)
