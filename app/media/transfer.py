"""One file on its way through: a chunk fills while the chunk before it is sent.

    write ──> filling ──(full, and more data)──> sending ──acknowledged──> free
                  └── end of the file: all but the last granule is sent; the rest waits for finalize

Only two chunks are held, whatever the file's size; a writer waits while both are in use. A thread reads the SHA-256 and
the facts of the head from the same chunks while they are sent. This module knows neither forms nor the registry.
"""

import asyncio
import hashlib
from mmap import mmap

from app.gemini.remote_files import RemoteFile
from app.gemini.resumable import ResumableSession
from app.media.facts import read_facts, turned_by_tail
from app.store.records import NO_FACTS, MediaFacts

HEAD_BYTES = 1 << 20
TAIL_BYTES = 1 << 20


class Transfer:
    """A file that streams into a resumable session.

    `chunk_bytes` is rounded down to the session's granularity.
    """

    def __init__(self, session: ResumableSession, *, mime_type: str, chunk_bytes: int) -> None:
        granularity = session.granularity
        self._capacity = max(granularity, chunk_bytes // granularity * granularity)
        self._filling = mmap(-1, self._capacity)
        self._spare: mmap | None = None
        self._filled = 0
        self._sending: asyncio.Task[None] | None = None
        self._sha256 = hashlib.sha256()
        self._facts: MediaFacts | None = None
        self._mime_type = mime_type
        self._head = b""
        self._tail = b""
        self._has_ended = False
        self.session = session
        self.size_bytes = 0
        self.acknowledged_bytes = 0

    async def write(self, piece: memoryview | bytes) -> None:
        """Add data; waits while two chunks are held. Raises the errors of sending (see ResumableSession)."""
        view = memoryview(piece)
        if self._sending is not None and self._sending.done():
            await self._sending
        while view:
            # A full chunk is sent only if more data follows, because the last bytes of the file belong to finalize.
            if self._filled == self._capacity:
                await self._send_full()
            count = min(len(view), self._capacity - self._filled)
            self._filling[self._filled : self._filled + count] = view[:count]
            self._filled += count
            self.size_bytes += count
            view = view[count:]

    async def end(self) -> None:
        """End the file: send everything but its last granule and release the chunks."""
        if self._sending is not None:
            await self._sending
        whole = memoryview(self._filling)[: self._filled]
        if self.size_bytes == self._filled:
            self._facts = await asyncio.to_thread(read_facts, bytes(whole), self._mime_type, is_whole=True)
        else:
            self._facts = await asyncio.to_thread(self._look_at_tail, whole)
        kept = (self._filled - 1) % self.session.granularity + 1
        split = self._filled - kept
        self._tail = bytes(whole[split:])
        self._has_ended = True
        self._sending = asyncio.create_task(self._send_last(whole[:split]))
        # Only the task holds the last chunk now, until it is acknowledged.
        self._spare = None
        self._filling = mmap(-1, 1)

    async def settled(self) -> str:
        """Wait until all but the last granule is acknowledged; return the whole file's SHA-256 in hex."""
        if self._sending is not None:
            await self._sending
            self._sending = None
        return self._sha256.hexdigest()

    async def finalize(self) -> RemoteFile:
        """Send the last granule, finish the upload and return the file. `settled` must have been awaited."""
        file = await self.session.finalize(memoryview(self._tail), self.size_bytes - len(self._tail))
        self.acknowledged_bytes = self.size_bytes
        return file

    @property
    def facts(self) -> MediaFacts:
        """Return the facts of the file's head, or of the whole small file."""
        return self._facts or NO_FACTS

    @property
    def is_all_held(self) -> bool:
        """Whether the file has ended and consists of its last granule only: no chunk is filled or sent."""
        return self._has_ended and self.size_bytes == len(self._tail)

    async def stop(self) -> None:
        """Stop sending; the bytes sent so far stay with the session, which the caller cancels."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait((self._sending,))
            if not self._sending.cancelled():
                # Retrieve the exception, so that asyncio does not report an unawaited failure.
                self._sending.exception()
            self._sending = None

    async def _send_full(self) -> None:
        chunk, offset = self._filling, self.size_bytes - self._filled
        if self._sending is not None:
            await self._sending
        self._filling = self._spare if self._spare is not None else mmap(-1, self._capacity)
        self._spare = chunk
        self._filled = 0
        self._sending = asyncio.create_task(self._send(memoryview(chunk), offset))

    async def _send(self, chunk: memoryview, offset: int) -> None:
        look = asyncio.ensure_future(asyncio.to_thread(self._look, chunk, is_head=offset == 0))
        try:
            await self.session.send_chunk(chunk, offset)
        finally:
            # The thread reads the chunk, which must not be refilled before the thread is done.
            await look
        self.acknowledged_bytes = offset + len(chunk)

    async def _send_last(self, rest: memoryview) -> None:
        if rest:
            await self._send(rest, self.size_bytes - self._filled)
        self._sha256.update(self._tail)

    def _look_at_tail(self, last: memoryview) -> MediaFacts:
        # The spare chunk still holds the bytes sent last; the facts at the file's end may begin there.
        before = b"" if self._spare is None else bytes(memoryview(self._spare)[-TAIL_BYTES:])
        tail = (before + bytes(last[-TAIL_BYTES:]))[-TAIL_BYTES:]
        return turned_by_tail(self.facts, self._head, tail, self._mime_type)

    def _look(self, chunk: memoryview, *, is_head: bool) -> None:
        self._sha256.update(chunk)
        if is_head and self._facts is None:
            self._head = bytes(chunk[:64])
            self._facts = read_facts(bytes(chunk[:HEAD_BYTES]), self._mime_type, is_whole=False)
