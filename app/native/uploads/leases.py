"""The leases by which this process writes to sessions; of a fast upload, one lease serves many chunks.

    begin ──> taken from the database ──> a chunk ──> end ──> given up, or kept for KEEP_S
      └────────────────── kept: the next chunk came here, too ───────┘

A lease is kept only where the chunk before came to this process as well: behind a balancer that deals chunks out in
turn, none ever is. Where one is kept and the next chunk goes to another process, that one waits for it a moment. It
knows no HTTP, and nothing of what is written.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace

from app.errors import StoreUnavailableError
from app.store.upload_sessions import UploadSession, UploadSessions, WritingElsewhereError

LEASE_S = 15.0
"""How long a writer holds a session without a word."""
KEEP_S = 0.1
"""How long a lease is kept for the next chunk."""
KEPT_WITHIN_S = 5.0
"""A lease that was taken longer ago is not kept: far below LEASE_S, after which it may be another's."""
TRIES = 9
"""How often another process's lease is asked for, which may only be kept."""
TRY_EVERY_S = 0.05
REMEMBERED = 1_024
"""For how many sessions this process's last fence is remembered."""
_NO_FENCE = -2
"""Is nobody's, and neither is the one behind it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a session, which was read when the lease was taken or last kept.

    `taken_at` is in seconds that never go back, `taken_at_time` the clock's: only that one shows that a machine slept.
    """

    session: UploadSession
    taken_at: float
    taken_at_time: float
    may_be_kept: bool

    @property
    def is_fresh(self) -> bool:
        """Whether it was taken so lately that it can be nobody else's."""
        age_s = max(time.monotonic() - self.taken_at, abs(time.time() - self.taken_at_time))
        return age_s < KEPT_WITHIN_S


@dataclass(frozen=True, slots=True)
class _Kept:
    lease: Lease
    timer: asyncio.TimerHandle


class Leases:
    """The leases of one process: opened and closed by the lifespan. `keep_s` is how long one is kept, in seconds.

    Of one session, nobody else in this process may begin before the lease that there was has ended.
    """

    def __init__(self, sessions: UploadSessions, *, keep_s: float = KEEP_S) -> None:
        self._sessions = sessions
        self._keep_s = keep_s
        self._kept: dict[str, _Kept] = {}
        self._own_fences: dict[str, int] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def begin(self, token_hash: str, *, owner: str | None, lease_until: float) -> Lease | None:
        """Become a session's writer, as `UploadSessions.begin_writing` says it.

        None when there is no such session of the owner's. Raises WritingElsewhereError when another process goes on
        writing. Where it is cancelled, nobody is left the writer.
        """
        kept = self._kept.get(token_hash)
        if kept is not None and owner in {None, kept.lease.session.owner}:
            if kept.lease.is_fresh:
                del self._kept[token_hash]
                kept.timer.cancel()
                return kept.lease
            # The process stood still: by now the lease may be another's.
            await self.release(token_hash)
        before = self._own_fences.get(token_hash, _NO_FENCE)
        taken_at, taken_at_time = time.monotonic(), time.time()
        session = await self._take(token_hash, owner=owner, lease_until=lease_until)
        if session is None:
            return None
        return Lease(session, taken_at, taken_at_time, may_be_kept=session.fence == before + 1)

    async def _take(self, token_hash: str, *, owner: str | None, lease_until: float) -> UploadSession | None:
        for _ in range(TRIES - 1):
            with suppress(WritingElsewhereError):
                return await self._take_at_once(token_hash, owner=owner, lease_until=lease_until)
            await asyncio.sleep(TRY_EVERY_S)
        return await self._take_at_once(token_hash, owner=owner, lease_until=lease_until)

    async def _take_at_once(self, token_hash: str, *, owner: str | None, lease_until: float) -> UploadSession | None:
        now = time.time()
        taking = asyncio.ensure_future(
            self._sessions.begin_writing(
                token_hash,
                owner=owner,
                now=now,
                until=now + LEASE_S,
                own_fence=self._own_fences.get(token_hash, _NO_FENCE),
                lease_until=lease_until,
            )
        )
        try:
            session = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # A client that leaves and comes again cancels twice; this is carried through all the same.
            await asyncio.shield(self._in_background(self._undo(taking)))
            raise
        if session is not None:
            self._remember(session)
        return session

    async def _undo(self, taking: "asyncio.Future[UploadSession | None]") -> None:
        # What may have been taken is given up: nobody is to wait for it.
        with suppress(WritingElsewhereError, StoreUnavailableError):
            session = await taking
            if session is not None:
                self._remember(session)
                await self._give_up(session)

    def _in_background(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    def _remember(self, session: UploadSession) -> None:
        self._own_fences.pop(session.token_hash, None)
        self._own_fences[session.token_hash] = session.fence
        if len(self._own_fences) > REMEMBERED:
            del self._own_fences[next(iter(self._own_fences))]

    async def renew(self, lease: Lease) -> bool:
        """Say that the writer goes on; False when another one writes by now."""
        session = lease.session
        return await self._sessions.renew(session.token_hash, fence=session.fence, until=time.time() + LEASE_S)

    async def end(self, lease: Lease, session: UploadSession, *, is_between_chunks: bool) -> None:
        """Say how the session stands, and let others write, at once or when no next chunk comes.

        `is_between_chunks` says that all is well and more is to come. Of a kept lease, what was acknowledged stands in
        memory alone: when the process dies, Gemini is asked how far the upload came. What a scan has seen is known here
        alone, so a session that is scanned is always written down.
        """
        may_be_kept = is_between_chunks and lease.may_be_kept and session.scan is None and not self._is_closed
        if may_be_kept and lease.is_fresh:
            timer = asyncio.get_running_loop().call_later(self._keep_s, self._release_soon, session.token_hash)
            self._kept[session.token_hash] = _Kept(replace(lease, session=session), timer)
        else:
            await self._give_up(session)

    async def release(self, token_hash: str) -> None:
        """Give a kept lease up, if there is one; it is carried through even when the caller is cancelled."""
        releasing = self._release_soon(token_hash)
        if releasing is not None:
            await asyncio.shield(releasing)

    def _release_soon(self, token_hash: str) -> "asyncio.Task[None] | None":
        kept = self._kept.pop(token_hash, None)
        if kept is None:
            return None
        kept.timer.cancel()
        return self._in_background(self._give_up_if_possible(kept.lease.session))

    async def _give_up_if_possible(self, session: UploadSession) -> None:
        # While the database is away, the lease runs out by itself.
        with suppress(StoreUnavailableError):
            await self._give_up(session)

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
            self._release_soon(token_hash)
        await asyncio.gather(*self._ending)
