"""The leases by which this process writes to upload sessions: each chunk takes a lease and releases it.

    begin ──> taken in the database ──> a chunk, the lease renewed meanwhile ──> end ──> released

This module knows no HTTP, and nothing of the bytes that are written.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from app.errors import StoreUnavailableError
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError

# Seconds for which a silent writer keeps others out.
LEASE_S = 15.0
RENEW_S = 5.0


@dataclass(slots=True)
class WriterLease:
    """The right to write to a session, which was read when the lease was taken."""

    session: UploadSession
    _held_at: float = field(default_factory=time.monotonic)
    _held_at_time: float = field(default_factory=time.time)

    @property
    def is_fresh(self) -> bool:
        """Whether the lease was taken or renewed so recently that no other writer can have it."""
        # Two clocks: the monotonic clock stops while a machine sleeps, and the wall clock can be set back.
        age_s = max(time.monotonic() - self._held_at, abs(time.time() - self._held_at_time))
        return age_s < RENEW_S

    def renewed(self, at: float, at_time: float) -> None:
        """Record a renewal at a monotonic time and a wall-clock time, both in seconds."""
        self._held_at, self._held_at_time = at, at_time


class WriterLeases:
    """The leases of one process, opened and closed by the lifespan."""

    def __init__(self, sessions: UploadSessions) -> None:
        self._sessions = sessions
        self._ending: set[asyncio.Task[None]] = set()

    async def begin(self, token_hash: str, *, owner: str | None, lease_until: float) -> WriterLease | None:
        """Become a session's writer, by `UploadSessions.begin_writing`; return None if the owner has no such session.

        Raises WritingElsewhereError while another request writes. A cancelled call leaves no writer.
        """
        at, at_time = time.monotonic(), time.time()
        taking = asyncio.ensure_future(
            self._sessions.begin_writing(
                token_hash, owner=owner, now=at_time, until=at_time + LEASE_S, lease_until=lease_until
            )
        )
        try:
            session = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # A client that leaves and returns cancels twice; even then the release must be carried out.
            await asyncio.shield(self.in_background(self._undo(taking)))
            raise
        return None if session is None else WriterLease(session, at, at_time)

    async def _undo(self, taking: "asyncio.Future[UploadSession | None]") -> None:
        with suppress(WritingElsewhereError, StoreUnavailableError):
            session = await taking
            if session is not None:
                await self.end(session)

    def in_background(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Run work to its end even if the caller is cancelled; `aclose` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._ending.discard(task)
        if not task.cancelled():
            # Retrieved here, since the caller may be gone; a lease that was not released expires by itself.
            task.exception()

    async def renew(self, lease: WriterLease) -> bool:
        """Extend a lease; return whether it was still held."""
        at, at_time = time.monotonic(), time.time()
        session = lease.session
        is_held = await self._sessions.renew(session.token_hash, fence=session.fence, until=at_time + LEASE_S)
        if is_held:
            lease.renewed(at, at_time)
        return is_held

    @asynccontextmanager
    async def renewing(self, lease: WriterLease, is_stalled: Callable[[], bool]) -> AsyncIterator[None]:
        """Renew a lease while the block runs, but not while `is_stalled`: then another writer may take over."""
        task = asyncio.get_running_loop().create_task(self._renew(lease, is_stalled))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def _renew(self, lease: WriterLease, is_stalled: Callable[[], bool]) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if not is_stalled():
                # While the database is down the lease expires, and the writer checks the lease before its next byte.
                with suppress(StoreUnavailableError):
                    if not await self.renew(lease):
                        return

    async def end(self, session: UploadSession) -> bool:
        """Release a lease and record the session's state; return whether the lease was still held."""
        return await self._sessions.end_writing(
            session.token_hash,
            fence=session.fence,
            received=session.received,
            is_unsure=session.is_unsure,
            scan=session.scan,
        )

    async def aclose(self) -> None:
        """Wait until all pending releases are done."""
        await asyncio.gather(*self._ending, return_exceptions=True)
