"""The writers of this process's uploads: a client that comes again ends its own request that still hangs."""

import asyncio
from dataclasses import dataclass

from app.errors import ClientGoneError


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """A request that writes to an upload, numbered in the order in which requests came."""

    number: int
    task: "asyncio.Task[object]"


class Writers:
    """The writers of this process, by their sessions: the one that came last is the one."""

    def __init__(self) -> None:
        self._writers: dict[str, Writer] = {}
        self._ended: set[asyncio.Task[object]] = set()

    def arrive(self, number: int) -> Writer:
        """Return this task's request as a writer; `number` grows in the order in which requests arrived."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a session is written to only inside a task")
        return Writer(number, task)

    async def take(self, token_hash: str, writer: Writer) -> None:
        """Become the writer, once the one that there was has stopped.

        Raises ClientGoneError when a request that came later writes already.
        """
        while (other := self._writers.get(token_hash)) is not None:
            if other.number > writer.number:
                raise ClientGoneError("Another request goes on with this upload.")
            self._ended.add(other.task)
            other.task.cancel()
            await asyncio.wait((other.task,))
            self._ended.discard(other.task)
        self._writers[token_hash] = writer

    def was_ended(self, writer: Writer) -> bool:
        """Whether a writer is being ended because another one came."""
        return writer.task in self._ended

    def leave(self, token_hash: str, writer: Writer) -> None:
        """Forget a writer."""
        if self._writers.get(token_hash) is writer:
            del self._writers[token_hash]
