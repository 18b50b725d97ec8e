"""Reads a request's body within the time limits for slow clients.

The module knows ASGI messages, and nothing about the content of the body.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING

from app.errors import ClientGoneError, MalformedRequestError, SlowBodyError
from app.request.context import context_of
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

_LONGEST_LENGTH_DIGITS = 18
_GRACE_S = 10.0
"""Seconds of waiting after which the rate of a body is judged."""


def content_length(scope: "Scope") -> int | None:
    """Return the request's Content-Length in bytes, or None without the header.

    Raises MalformedRequestError if the value is not a number, or if the header is given more than once.
    """
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return None
    value: bytes = values[0].strip()
    if len(values) > 1 or not value.isdigit() or len(value) > _LONGEST_LENGTH_DIGITS:
        raise MalformedRequestError("Content-Length must be given once, as a number of bytes.")
    return int(value)


def body_of(scope: "Scope", receive: "Receive", settings: Settings) -> AsyncIterator[bytes]:
    """Return an iterator over the body's pieces as they arrive; no piece is empty.

    Only the time spent waiting for the client counts against the client, not the time that the reader takes. The first
    call of `receive` sends 100 Continue to a client that waits for it.

    Raises MalformedRequestError if the Content-Length is broken. The iterator raises ClientGoneError if the client
    leaves before the end of the body; SlowBodyError if no byte arrives for `settings.idle_timeout_s`, or if in 10 s of
    waiting fewer than `settings.min_body_rate` bytes a second arrive (0: no minimum); MalformedRequestError if the
    framing of the body is broken.
    """
    return _TimedBody(scope, receive, settings)


class _WaitTimer:
    """Cancels a wait that lasts too long. All waits of a body share one timer, since a timer a wait costs more."""

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
        """Note that the current task begins to wait."""
        task = self._task = asyncio.current_task()
        self._cancelling = 0 if task is None else task.cancelling()
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._look)

    def end(self) -> None:
        """Note that the wait has ended."""
        self._since = None

    def has_cancelled(self) -> bool:
        """Return whether only this timer has cancelled the task, and take its cancellation back."""
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
            # No task waits: the next wait starts the timer again.
            return
        left = self._since + self._timeout_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._has_fired = True
        self._task.cancel()


class _TimedBody:
    """The iterator that `body_of` returns."""

    # A class, since an async generator would cost a small body more than reading the body does.

    def __init__(self, scope: "Scope", receive: "Receive", settings: Settings) -> None:
        self._receive = receive
        self._idle_timeout_s = settings.idle_timeout_s
        self._min_body_rate = settings.min_body_rate
        self._is_here = context_of(scope).is_body_here
        self._more_body = content_length(scope) != 0
        self._received = 0
        self._waited_s = 0.0
        self._timer: _WaitTimer | None = None

    def __aiter__(self) -> "_TimedBody":
        return self

    async def __anext__(self) -> bytes:
        while self._more_body:
            # Bytes that have arrived need no timer, which would cost more than taking them.
            message = await (self._receive() if self._is_here() else self._wait())
            if message["type"] == "http.disconnect":
                raise ClientGoneError("The client disconnected before the end of its body.")
            piece: bytes = message.get("body", b"")
            self._received += len(piece)
            self._more_body = message.get("more_body", False)
            if self._more_body:
                self._check_rate()
            elif self._timer is not None:
                self._timer.close()
            if piece:
                return piece
        raise StopAsyncIteration

    async def _wait(self) -> "Message":
        timer = self._timer = self._timer or _WaitTimer(self._idle_timeout_s)
        began_at = monotonic()
        timer.begin()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not timer.has_cancelled():
                raise
            raise SlowBodyError(f"No byte of the body arrived for {self._idle_timeout_s:g} s.") from None
        finally:
            timer.end()
        self._waited_s += monotonic() - began_at
        return message

    def _check_rate(self) -> None:
        if self._waited_s > _GRACE_S:
            least = self._min_body_rate
            if self._received < least * self._waited_s:
                raise SlowBodyError(f"The body arrived more slowly than {least} bytes a second.")
            # Each stretch of waiting needs its own bytes: a fast start buys no time for later.
            self._received, self._waited_s = 0, 0.0
