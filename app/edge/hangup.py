"""Work that ends when its client leaves, without a task that watches for it.

This module knows the future that the connection puts into the request's context, and no HTTP.
"""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from app.errors import ClientGoneError
from app.request.context import context_of

if TYPE_CHECKING:
    from starlette.types import Scope


def until_hangup(scope: "Scope") -> "UntilHangup":
    """Run an `async with` block until it ends, or until the client leaves.

    When the client has left, the block is cancelled, and ClientGoneError is raised in place of that cancellation. Any
    other cancellation passes through. For a scope without a connection the block runs unwatched.
    """
    return UntilHangup(context_of(scope).hangup)


class UntilHangup:
    """The block of `until_hangup`: the future cancels the task, as `asyncio.timeout` does at its deadline."""

    __slots__ = ("_cancelling", "_hangup", "_has_fired", "_task")

    def __init__(self, hangup: "asyncio.Future[None] | None") -> None:
        self._hangup = hangup
        self._has_fired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0

    async def __aenter__(self) -> None:
        if self._hangup is None:
            return
        if self._hangup.done():
            raise ClientGoneError("The client disconnected.")
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("until_hangup works only inside a task")
        self._cancelling = self._task.cancelling()
        self._hangup.add_done_callback(self._cancel)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hangup is None or self._task is None:
            return
        self._hangup.remove_done_callback(self._cancel)
        # A callback that is already scheduled must not cancel the code after the block.
        task, self._task = self._task, None
        if not self._has_fired:
            return
        # A higher count than at the entry means that other code has cancelled the task too, which takes precedence.
        is_ours_alone = task.uncancel() <= self._cancelling
        if kind is asyncio.CancelledError:
            if is_ours_alone:
                raise ClientGoneError("The client disconnected.") from error
            return
        # The block ended by itself in the same turn of the loop. The pending cancellation would end this task's next
        # wait, so it is awaited here.
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if not is_ours_alone:
                raise

    def _cancel(self, _hangup: "asyncio.Future[None]") -> None:
        self._has_fired = True
        if self._task is not None:
            self._task.cancel()
