"""The leases by which this process writes to upload sessions: each chunk takes its lease and gives it back.

    begin ──> taken from the database ──> a chunk, renewed while it lasts ──> end ──> given back

It knows no HTTP, and nothing of the bytes that are written.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from app.errors import StoreUnavailableError
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError

# How long a writer that is not heard of keeps others out.
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
        # Only the clock's time passes while a machine sleeps, and only the other never goes back.
        age_s = max(time.monotonic() - self._held_at, abs(time.time() - self._held_at_time))
        return age_s < RENEW_S

    def renewed(self, at: float, at_time: float) -> None:
        """Record that the lease was renewed at a monotonic time and a clock's time, in seconds."""
        self._held_at, self._held_at_time = at, at_time


class WriterLeases:
    """The leases of one process, opened and closed by the lifespan."""

    def __init__(self, sessions: UploadSessions) -> None:
        self._sessions = sessions
        self._ending: set[asyncio.Task[None]] = set()

    async def begin(self, token_hash: str, *, owner: str | None, lease_until: float) -> WriterLease | None:
        """Become a session's writer, as `UploadSessions.begin_writing` does.

        None if there is no such session of the owner's. Raises WritingElsewhereError while another request writes. A
        call that is cancelled leaves no writer.
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
            # A client that leaves and comes again cancels twice; the undoing is carried through all the same.
            await asyncio.shield(self.in_background(self._undo(taking)))
            raise
        return None if session is None else WriterLease(session, at, at_time)

    async def _undo(self, taking: "asyncio.Future[UploadSession | None]") -> None:
        with suppress(WritingElsewhereError, StoreUnavailableError):
            session = await taking
            if session is not None:
                await self.end(session)

    def in_background(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Run work to its end, whatever becomes of the caller; `aclose` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._ending.discard(task)
        if not task.cancelled():
            # Retrieved, since the caller may have left: the lease then runs out by itself.
            task.exception()

    async def renew(self, lease: WriterLease) -> bool:
        """Prolong a lease; return whether it was still held."""
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
                # While the database is away the lease runs out, which the writer sees before its next byte.
                with suppress(StoreUnavailableError):
                    if not await self.renew(lease):
                        return

    async def end(self, session: UploadSession) -> bool:
        """Give a lease back and record how the session stands; return whether the lease was still held."""
        return await self._sessions.end_writing(
            session.token_hash,
            fence=session.fence,
            received=session.received,
            is_unsure=session.is_unsure,
            scan=session.scan,
        )

    async def aclose(self) -> None:
        """Wait until every lease that is being given back is given back."""
        await asyncio.gather(*self._ending, return_exceptions=True)
