"""Who writes to a session: one at a time, wherever its client's commands come to; the newest one wins.

A client whose connection broke comes again while the gateway still waits for the rest of the old chunk. In the same
process the old one is ended at once; another process gives way when its writer makes no progress for LEASE_S.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.errors import BusyError, ClientGoneError
from app.native.scanning import JsonLinesScanner
from app.native.services import Call
from app.native.writers import Writer
from app.store.upload_sessions import UploadSession

LEASE_S = 15.0
SESSION_LIFETIME_S = 24 * 3600.0
"""How long a session waits for its client's next command."""
RENEW_S = 5.0


@dataclass(slots=True)
class Writing:
    """The one writer of a session. `received` is what Gemini has; `lines` scans a batch's file, None for others."""

    call: Call
    session: UploadSession
    fence: int
    received: int
    was_unsure: bool
    lines: JsonLinesScanner | None
    is_sure: bool = False
    renewed_at: float = 0.0

    async def go_on(self) -> None:
        """Take note of progress. Raises ClientGoneError when another writes by now."""
        now = time.monotonic()
        if now - self.renewed_at < RENEW_S:
            return
        self.renewed_at = now
        sessions = self.call.services.upload_sessions
        if not await sessions.renew(self.session.token_hash, fence=self.fence, until=time.time() + LEASE_S):
            raise ClientGoneError("Another request goes on with this upload.")

    async def check(self) -> None:
        """Raise ClientGoneError when another writes by now: what is not repeatable is done by the newest alone."""
        self.renewed_at = 0.0
        await self.go_on()


@asynccontextmanager
async def writing(call: Call, session: UploadSession, writer: Writer) -> AsyncIterator[Writing]:
    """Run a block as the session's writer. Raises BusyError, which is worth repeating, while another process writes.

    `writer` is this request, numbered as it arrived. How far it came is written down at its end, whatever way it ends.
    """
    writers, sessions, token_hash = call.services.writers, call.services.upload_sessions, session.token_hash
    evicts = await writers.take(token_hash, writer)
    try:
        try:
            if evicts:
                session = await sessions.get(token_hash) or session
            own = await _begin(call, session, evicts=evicts)
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


async def _begin(call: Call, session: UploadSession, *, evicts: bool) -> Writing:
    lines = None if session.scan is None else JsonLinesScanner.restore(session.scan)
    own = Writing(call, session, session.fence + 1, session.received, session.is_unsure, lines)
    now = time.time()
    begun = asyncio.ensure_future(
        call.services.upload_sessions.begin_writing(
            session.token_hash,
            fence=session.fence,
            now=now,
            until=now + LEASE_S,
            evicts=evicts,
            lease_until=call.services.library.now() + SESSION_LIFETIME_S,
        )
    )
    try:
        is_mine = await asyncio.shield(begun)
    except asyncio.CancelledError:
        # What may have been begun is ended: nobody is to wait for its lease.
        if await begun:
            await _end(own)
        raise
    if not is_mine:
        raise BusyError("Another request goes on with this upload; try again in a moment.", retry_after_s=2)
    own.renewed_at = time.monotonic()
    return own


async def _end(own: Writing) -> None:
    await own.call.services.upload_sessions.end_writing(
        own.session.token_hash,
        fence=own.fence,
        received=own.received,
        is_unsure=not own.is_sure,
        scan=None if own.lines is None else own.lines.save(),
    )
