"""A request's body as it arrives, with the limits of a client that is slow.

It knows ASGI messages, and nothing of what the bytes are.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
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
    return _Body(scope, receive, _Patience(idle_timeout_s, min_body_rate, grace_s))


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Patience:
    idle_timeout_s: float
    min_body_rate: int
    grace_s: float


class _Body:
    """The iterator that `body_of` gives; a plain one, since an async generator costs a small body more than it is."""

    def __init__(self, scope: "Scope", receive: "Receive", patience: _Patience) -> None:
        self._receive = receive
        self._patience = patience
        self._is_here: Callable[[], bool] = scope.get("extensions", {}).get("gateway.is_body_here", _never)
        self._more_body = content_length(scope) != 0
        self._received = 0
        self._waited_s = 0.0

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
            if piece:
                return piece
        raise StopAsyncIteration

    async def _wait(self) -> "Message":
        began_at = monotonic()
        try:
            async with asyncio.timeout(self._patience.idle_timeout_s):
                message = await self._receive()
        except TimeoutError:
            raise SlowBodyError(f"Nothing of the body came for {self._patience.idle_timeout_s:g} s.") from None
        self._waited_s += monotonic() - began_at
        return message

    def _check_rate(self) -> None:
        if self._waited_s > self._patience.grace_s:
            least = self._patience.min_body_rate
            if self._received < least * self._waited_s:
                raise SlowBodyError(f"The body came slower than {least} bytes a second.")
            # Each stretch of waiting must bring its own share: what came fast at first buys no time later.
            self._received, self._waited_s = 0, 0.0
