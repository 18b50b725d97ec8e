"""One call's bytes go into a session: from the right offset, by whole granules, within its limits.

    pieces ──> skip held bytes ──> gather 1 MiB ──> session, granule by granule
                                          └─ connection lost: the unfinished granule is dropped

This module knows the pieces of the body, but no header.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.sessions import Session

_BATCH_BYTES = 1024 * 1024


class SpoiltSessionError(Exception):
    """The upload can never succeed; `failure` says why."""

    def __init__(self, failure: ApiFailureError) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Chunk:
    """A call's declaration of its bytes: their offset, whether they end the file, their number (None: undeclared)."""

    offset: int
    is_last: bool
    size_bytes: int | None

    def check(self, session: Session, granularity: int) -> None:
        """Refuse a chunk that does not fit before it is read; raises ApiFailureError."""
        if self.offset > session.received_bytes:
            raise invalid(
                f"The offset {self.offset} is not the number of bytes received, which is {session.received_bytes}."
            )
        if self.size_bytes is None:
            return
        end = self.offset + self.size_bytes
        declared = session.request.size_bytes
        if declared is not None and end > declared:
            raise invalid(f"The chunk ends at byte {end}, but the file was declared to have {declared}.")
        if not self.is_last and end != declared and self.size_bytes % granularity:
            raise invalid(f"The size of every chunk but the last must be a multiple of {granularity} bytes.")


class ChunkWriter:
    """Writes one chunk into a session."""

    def __init__(self, session: Session, chunk: Chunk, file_store: FileStore, granularity: int, *, lease: int) -> None:
        self._session = session
        self._chunk = chunk
        self._file_store = file_store
        self._granularity = granularity
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._lease = lease
        self._position = session.received_bytes

    async def write(self, pieces: AsyncIterator[bytes]) -> None:
        """Write the whole chunk.

        An early end leaves the session at a whole granule. Raises ApiFailureError if the bytes do not fit,
        SpoiltSessionError if the file is too large, LostLeaseError if another call writes to the session.
        """
        await self._gather(pieces)
        await self._end()

    async def write_torn(self, pieces: AsyncIterator[bytes]) -> None:
        """Write the part of a chunk that arrives, as if the connection then broke. Raises the errors of `write`."""
        await self._gather(pieces)
        await self._commit_granules()

    async def _gather(self, pieces: AsyncIterator[bytes]) -> None:
        skipped = self._position - self._chunk.offset
        try:
            async for arrived in pieces:
                piece = arrived[skipped:] if skipped else arrived
                skipped = max(0, skipped - len(arrived))
                if piece:
                    await self._hold(piece)
        except BaseException:
            await self._commit_granules()
            raise

    async def _hold(self, piece: bytes) -> None:
        total = self._position + self._held_bytes + len(piece)
        declared = self._session.request.size_bytes
        if declared is not None and total > declared:
            raise invalid(f"The chunk goes on beyond the {declared} bytes that the file was declared to have.")
        try:
            self._file_store.check_size(total)
        except ApiFailureError as failure:
            raise SpoiltSessionError(failure) from failure
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes >= _BATCH_BYTES:
            await self._commit_granules()

    async def _end(self) -> None:
        total = self._position + self._held_bytes
        if self._chunk.is_last or total == self._session.request.size_bytes:
            await self._commit(self._held_bytes)
            return
        await self._commit_granules()
        if self._held_bytes:
            raise invalid(f"The size of every chunk but the last must be a multiple of {self._granularity} bytes.")

    async def _commit_granules(self) -> None:
        total = self._position + self._held_bytes
        await self._commit(self._held_bytes - total % self._granularity)

    async def _commit(self, size_bytes: int) -> None:
        if size_bytes <= 0:
            return
        pieces, rest = _split(self._held, size_bytes)
        self._held, self._held_bytes = rest, self._held_bytes - size_bytes
        await self._session.take(pieces, self._lease)
        self._position += size_bytes


def _split(pieces: list[bytes], size_bytes: int) -> tuple[list[bytes], list[bytes]]:
    position = 0
    for index, piece in enumerate(pieces):
        position += len(piece)
        if position == size_bytes:
            return pieces[: index + 1], pieces[index + 1 :]
        if position > size_bytes:
            kept = len(piece) - (position - size_bytes)
            return [*pieces[:index], piece[:kept]], [piece[kept:], *pieces[index + 1 :]]
    return pieces, []
