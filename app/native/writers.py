"""The writers of this process's uploads: a client that comes again ends its own request that still hangs."""

import asyncio


class Writers:
    """The writers of this process, by their sessions: a new one ends the one before it."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._ended: set[asyncio.Task[object]] = set()

    async def take(self, token_hash: str) -> bool:
        """End the writer that there is, and wait until it has stopped; gives whether there was one."""
        task = self._tasks.get(token_hash)
        if task is None:
            return False
        self._ended.add(task)
        task.cancel()
        await asyncio.wait((task,))
        self._ended.discard(task)
        return True

    def was_ended(self, task: "asyncio.Task[object]") -> bool:
        """Whether a task is being ended because another writer came."""
        return task in self._ended

    def enter(self, token_hash: str, task: "asyncio.Task[object]") -> None:
        """Take note of a writer."""
        self._tasks[token_hash] = task

    def leave(self, token_hash: str, task: "asyncio.Task[object]") -> None:
        """Forget a writer."""
        if self._tasks.get(token_hash) is task:
            del self._tasks[token_hash]
