"""The writers of this process's uploads: a newer request of a client ends its older one that still hangs."""

import asyncio
from dataclasses import dataclass, field

from app.errors import UploadConflictError


@dataclass(slots=True, eq=False)
class Writer:
    """A request that writes to an upload, numbered in the order in which requests came."""

    number: int
    task: "asyncio.Task[object]"
    has_left: asyncio.Event = field(default_factory=asyncio.Event)
    # No request cancels a writer twice, nor a writer that is already releasing its lease: the request waits instead.
    is_ending: bool = False
    was_ended: bool = False


def conflict(upload: str | None = None) -> UploadConflictError:
    """Return the error of a request that is not, or no longer, the writer of an upload. `upload` is its file's name."""
    which = "this upload" if upload is None else f"the upload of files/{upload}"
    return UploadConflictError(
        f"Another request writes to {which}, and only one may write at a time. Ask by X-Goog-Upload-Command: query (or "
        "Content-Range: bytes */*) how many bytes were received, and continue from there.",
        retry_after_s=2,
    )


class Writers:
    """The writers of this process by session: the request that arrived last writes."""

    def __init__(self) -> None:
        self._writers: dict[str, Writer] = {}

    def arrive(self, number: int) -> Writer:
        """Return this task's request as a writer; `number` grows in the order in which requests arrived."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a session is written to only inside a task")
        return Writer(number, task)

    async def take(self, token_hash: str, writer: Writer) -> None:
        """Become the writer, after ending the current one. Raises UploadConflictError if a later request writes."""
        while (other := self._writers.get(token_hash)) is not None:
            if other.number > writer.number:
                raise conflict()
            if not other.is_ending:
                other.is_ending = other.was_ended = True
                other.task.cancel()
            await other.has_left.wait()
        self._writers[token_hash] = writer

    def leave(self, token_hash: str, writer: Writer) -> None:
        """Forget a writer, and wake the request that waits for its end."""
        if self._writers.get(token_hash) is writer:
            del self._writers[token_hash]
        writer.has_left.set()
