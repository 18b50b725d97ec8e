"""The leases by which this process writes to sessions; of a fast upload, one lease serves many chunks.

    begin ──> taken from the database ──> a chunk ──> end ──> given up, or kept for KEEP_S
      └────────────────── kept: the next chunk came here, too ───────┘

A lease is kept only where the chunk before came to this process as well: behind a balancer that deals chunks out in
turn, none ever is. Where one is kept and the next chunk goes to another process, that one waits for it a moment. It
knows no HTTP, and nothing of what is written.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from app.errors import StoreUnavailableError
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError

LEASE_S = 15.0
"""How long a writer holds a session without a word."""
KEEP_S = 0.1
"""How long a lease is kept for the next chunk."""
KEPT_WITHIN_S = 5.0
"""A lease that was taken longer ago is given up when its chunk ends."""
PATIENCE_S = 0.4
"""How long another process's lease is waited for, which may only be kept."""
TRY_EVERY_S = 0.05
REMEMBERED = 1_024
"""Of how many sessions it is remembered who wrote last."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a session, which was read when the lease was taken or last kept."""

    session: UploadSession
    taken_at: float
    may_be_kept: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    lease: Lease
    timer: asyncio.TimerHandle


class Leases:
    """The leases of one process: opened and closed by the lifespan. `keep_s` is how long one is kept, in seconds."""

    def __init__(self, sessions: UploadSessions, *, keep_s: float = KEEP_S) -> None:
        self._sessions = sessions
        self._keep_s = keep_s
        self._kept: dict[str, _Kept] = {}
        self._last_fences: dict[str, int] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def begin(self, token_hash: str, *, owner: str | None, evicts: bool, lease_until: float) -> Lease | None:
        """Become a session's writer, as `UploadSessions.begin_writing` says it.

        None when there is no such session of the owner's. Raises WritingElsewhereError when another process goes on
        writing. Where it is cancelled, nobody is left the writer.
        """
        kept = self._kept.get(token_hash)
        if kept is not None and owner in {None, kept.lease.session.owner}:
            del self._kept[token_hash]
            kept.timer.cancel()
            return kept.lease
        session = await self._take(token_hash, owner=owner, evicts=evicts, lease_until=lease_until)
        if session is None:
            return None
        came_here = self._last_fences.pop(token_hash, None) == session.fence - 1
        return Lease(session, time.monotonic(), may_be_kept=came_here)

    async def _take(
        self, token_hash: str, *, owner: str | None, evicts: bool, lease_until: float
    ) -> UploadSession | None:
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self._begin(token_hash, owner=owner, evicts=evicts, lease_until=lease_until)
            except WritingElsewhereError:
                if time.monotonic() >= give_up_at:
                    raise
            await asyncio.sleep(TRY_EVERY_S)

    async def _begin(
        self, token_hash: str, *, owner: str | None, evicts: bool, lease_until: float
    ) -> UploadSession | None:
        now = time.time()
        begun = asyncio.ensure_future(
            self._sessions.begin_writing(
                token_hash, owner=owner, now=now, until=now + LEASE_S, evicts=evicts, lease_until=lease_until
            )
        )
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            # What may have been begun is ended: nobody is to wait for its lease.
            with suppress(WritingElsewhereError):
                session = await begun
                if session is not None:
                    await self._give_up(session)
            raise

    async def renew(self, lease: Lease) -> bool:
        """Say that the writer goes on; False when another one writes by now."""
        session = lease.session
        return await self._sessions.renew(session.token_hash, fence=session.fence, until=time.time() + LEASE_S)

    async def end(self, lease: Lease, session: UploadSession, *, is_between_chunks: bool) -> None:
        """Say how the session stands, and let others write, at once or when no next chunk comes.

        `is_between_chunks` says that all is well and more is to come. A kept lease is only in memory what the database
        does not know yet: when the process dies, Gemini is asked how far the upload came. What a scan has seen is known
        here alone, so a session that is scanned is always written down.
        """
        is_fresh = time.monotonic() - lease.taken_at < KEPT_WITHIN_S
        if is_between_chunks and lease.may_be_kept and is_fresh and session.scan is None and not self._is_closed:
            timer = asyncio.get_running_loop().call_later(self._keep_s, self._expire, session.token_hash)
            self._kept[session.token_hash] = _Kept(replace(lease, session=session), timer)
            return
        if is_between_chunks:
            self._remember(session)
        await self._give_up(session)

    def _remember(self, session: UploadSession) -> None:
        self._last_fences[session.token_hash] = session.fence
        if len(self._last_fences) > REMEMBERED:
            del self._last_fences[next(iter(self._last_fences))]

    def _expire(self, token_hash: str) -> None:
        task = asyncio.get_running_loop().create_task(self.release(token_hash))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def release(self, token_hash: str) -> None:
        """Give a kept lease up, if there is one."""
        kept = self._kept.pop(token_hash, None)
        if kept is None:
            return
        kept.timer.cancel()
        self._remember(kept.lease.session)
        # While the database is away, the lease runs out by itself.
        with suppress(StoreUnavailableError):
            await self._give_up(kept.lease.session)

    async def _give_up(self, session: UploadSession) -> None:
        await self._sessions.end_writing(
            session.token_hash,
            fence=session.fence,
            received=session.received,
            is_unsure=session.is_unsure,
            scan=session.scan,
        )

    async def aclose(self) -> None:
        """Give all leases up, so that any process may go on; keep none from now on."""
        self._is_closed = True
        for token_hash in list(self._kept):
            await self.release(token_hash)
        await asyncio.gather(*self._ending)
