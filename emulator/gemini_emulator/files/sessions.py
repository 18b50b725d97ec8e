"""Upload sessions and their received bytes (Files API reference, section 2.1).

    active ──chunks──> active ──finish──> final
       └──cancel──> cancelled

A session accepts bytes by whole granules, so that an upload can continue after a broken connection. The newest writer
wins: an older connection that still sends to the same session has lost its lease. This module knows no HTTP.
"""

import asyncio
import secrets
from dataclasses import dataclass, field

from gemini_emulator.clock import Clock
from gemini_emulator.failures import ApiFailureError
from gemini_emulator.faults import Fault
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.reception import Reception
from gemini_emulator.files.stored import FileRequest, StoredFile

_MAX_SESSIONS = 10_000
_LIFETIME_S = 7 * 24 * 3600.0


class LostLeaseError(Exception):
    """Another call has begun to write to the session."""


@dataclass(slots=True, eq=False)
class Session:
    """One upload. `status` is `active`, `final` or `cancelled`; `file` is there once it is final.

    `processing` is a fault that the start of the upload was given for its end.
    """

    upload_id: str
    request: FileRequest
    reception: Reception
    opened_at: float
    processing: Fault | None
    status: str = "active"
    file: StoredFile | None = None
    _lease: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def received_bytes(self) -> int:
        """How many bytes have been taken in."""
        return self.reception.received_bytes

    async def new_lease(self) -> int:
        """Become the session's writer, once the previous writer has written its held bytes."""
        async with self._lock:
            self._lease += 1
            return self._lease

    async def take(self, pieces: list[bytes], lease: int) -> None:
        """Receive the next bytes. Raises LostLeaseError if a newer call writes now."""
        async with self._lock:
            self._check(lease)
            await self.reception.take(pieces)

    async def finish(self, file_store: FileStore, lease: int, processing: Fault | None) -> StoredFile:
        """Store a file of the received bytes. Raises ApiFailureError if it may not be stored.

        A `processing` fault of this call goes before that of the start.
        """
        async with self._lock:
            self._check(lease)
            self.file = await file_store.add(self.request, self.reception, processing or self.processing)
            self.status = "final"
            return self.file

    def cancel(self) -> None:
        """Drop the received bytes, and accept no more."""
        self.status = "cancelled"
        self._lease += 1
        self.reception.kept.release()

    def _check(self, lease: int) -> None:
        if lease != self._lease or self.status != "active":
            raise LostLeaseError

    def resource(self) -> dict[str, object]:
        """Render for the inspection call."""
        file_id = self.file.file_id if self.file else self.request.file_id
        return {
            "upload_id": self.upload_id,
            "name": f"files/{file_id}" if file_id else "",
            "status": self.status,
            "received": self.received_bytes,
            "declared": self.request.size_bytes,
        }


class Sessions:
    """All sessions, oldest first; the oldest are dropped when there are too many or they are too old."""

    def __init__(self, file_store: FileStore, clock: Clock) -> None:
        self._file_store = file_store
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def open(self, request: FileRequest, processing: Fault | None) -> Session:
        """Open a session; raises ApiFailureError when the file would not be taken."""
        self._file_store.check(request)
        self._make_room()
        session = Session(
            upload_id=secrets.token_urlsafe(32),
            request=request,
            reception=self._file_store.new_reception(),
            opened_at=self._clock.now(),
            processing=processing,
        )
        self._sessions[session.upload_id] = session
        return session

    def get(self, upload_id: str) -> Session:
        """Find a session; raises ApiFailureError (404) when it is dead."""
        session = self._sessions.get(upload_id)
        if session is None or self._is_over(session):
            raise ApiFailureError(404, "The upload session does not exist or has expired.")
        return session

    def drop(self, upload_id: str) -> None:
        """Forget a session as if it had never been."""
        session = self._sessions.pop(upload_id, None)
        if session is not None and session.status == "active":
            session.cancel()

    def _make_room(self) -> None:
        while self._sessions:
            upload_id, oldest = next(iter(self._sessions.items()))
            if len(self._sessions) < _MAX_SESSIONS and not self._is_over(oldest):
                return
            self.drop(upload_id)

    def _is_over(self, session: Session) -> bool:
        return session.opened_at + _LIFETIME_S < self._clock.now()

    def everything(self) -> list[Session]:
        """Return all sessions, oldest first."""
        return list(self._sessions.values())

    def clear(self) -> None:
        """Forget all sessions."""
        for upload_id in list(self._sessions):
            self.drop(upload_id)
