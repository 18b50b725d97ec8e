"""A request's body as it arrives, with the limits of a client that is slow.

It knows ASGI messages, and nothing of what the bytes are.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import TYPE_CHECKING

from app.errors import ClientGoneError, MalformedRequestError, SlowBodyError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

_LONGEST_LENGTH_DIGITS = 18


def content_length(scope: "Scope") -> int | None:
    """Give the request's Content-Length in bytes, None when there is none.

    Raises MalformedRequestError when it is no number, or stands there twice.
    """
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return None
    value: bytes = values[0].strip()
    if len(values) > 1 or not value.isdigit() or len(value) > _LONGEST_LENGTH_DIGITS:
        raise MalformedRequestError("Content-Length must stand once, as a number of bytes.")
    return int(value)


def body_of(
    scope: "Scope", receive: "Receive", *, idle_timeout_s: float, min_body_rate: int, grace_s: float = 10
) -> AsyncIterator[bytes]:
    """Give the body's pieces as they come, none of them empty.

    Only the time spent waiting for the client counts against it: what the reader of this iterator takes is its own.
    The first call of `receive` asks a client that waits for 100 Continue to go on.

    Raises MalformedRequestError when the Content-Length is broken. The iterator raises ClientGoneError when the client
    left before the body's end; SlowBodyError when nothing came for `idle_timeout_s`, or when in any `grace_s` of
    waiting less than `min_body_rate` bytes came a second of it (0: no minimum); MalformedRequestError when the body's
    framing is broken.
    """
    return _Body(scope, receive, idle_timeout_s, min_body_rate, grace_s)


def _never() -> bool:
    return False


class _Watch:
    """Ends a wait that lasts too long. One timer serves all waits of a body: one for each would cost more than they."""

    __slots__ = ("_cancelling", "_has_fired", "_loop", "_since", "_task", "_timeout_s", "_timer")

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._since: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0
        self._has_fired = False

    def begin(self) -> None:
        """Take note that this task begins to wait."""
        task = self._task = asyncio.current_task()
        self._cancelling = 0 if task is None else task.cancelling()
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._look)

    def end(self) -> None:
        """Take note that the wait has ended."""
        self._since = None

    def was_it(self) -> bool:
        """Whether it is this that has cancelled the task, and nobody else; its own cancellation is taken back."""
        if not self._has_fired or self._task is None:
            return False
        self._has_fired = False
        return self._task.uncancel() <= self._cancelling

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None or self._task is None:
            # Nobody waits: the next wait starts it anew.
            return
        left = self._since + self._timeout_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._has_fired = True
        self._task.cancel()


class _Body:
    """The iterator that `body_of` gives; a plain one, since an async generator costs a small body more than it is."""

    def __init__(
        self, scope: "Scope", receive: "Receive", idle_timeout_s: float, min_body_rate: int, grace_s: float
    ) -> None:
        self._receive = receive
        self._idle_timeout_s = idle_timeout_s
        self._min_body_rate = min_body_rate
        self._grace_s = grace_s
        self._is_here: Callable[[], bool] = scope.get("extensions", {}).get("gateway.is_body_here", _never)
        self._more_body = content_length(scope) != 0
        self._received = 0
        self._waited_s = 0.0
        self._watch: _Watch | None = None

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        while self._more_body:
            # What has come needs no timer, which would cost more than taking it.
            message = await (self._receive() if self._is_here() else self._wait())
            if message["type"] == "http.disconnect":
                raise ClientGoneError("The client left before its body ended.")
            piece: bytes = message.get("body", b"")
            self._received += len(piece)
            self._more_body = message.get("more_body", False)
            if self._more_body:
                self._check_rate()
            elif self._watch is not None:
                self._watch.close()
            if piece:
                return piece
        raise StopAsyncIteration

    async def _wait(self) -> "Message":
        watch = self._watch = self._watch or _Watch(self._idle_timeout_s)
        began_at = monotonic()
        watch.begin()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not watch.was_it():
                raise
            raise SlowBodyError(f"Nothing of the body came for {self._idle_timeout_s:g} s.") from None
        finally:
            watch.end()
        self._waited_s += monotonic() - began_at
        return message

    def _check_rate(self) -> None:
        if self._waited_s > self._grace_s:
            least = self._min_body_rate
            if self._received < least * self._waited_s:
                raise SlowBodyError(f"The body came slower than {least} bytes a second.")
            # Each stretch of waiting must bring its own share: what came fast at first buys no time later.
            self._received, self._waited_s = 0, 0.0
