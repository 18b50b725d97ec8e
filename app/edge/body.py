"""A request's body as it arrives, with the limits of a client that is slow.

It knows ASGI messages, and nothing of what the bytes are.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING

from app.errors import ClientGoneError, MalformedRequestError, SlowBodyError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

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


async def body_of(
    scope: "Scope", receive: "Receive", *, idle_timeout_s: float, min_body_rate: int, grace_s: float = 10
) -> AsyncIterator[bytes]:
    """Give the body's pieces as they come, none of them empty.

    Only the time spent waiting for the client counts against it: what the reader of this iterator takes is its own.
    The first call of `receive` asks a client that waits for 100 Continue to go on.

    Raises ClientGoneError when the client left before the body's end; SlowBodyError when nothing came for
    `idle_timeout_s`, or when in any `grace_s` of waiting less than `min_body_rate` bytes came a second of it (0: no
    minimum); MalformedRequestError when the body's framing or its Content-Length is broken.
    """
    if content_length(scope) == 0:
        return
    received = 0
    waited_s = 0.0
    more_body = True
    while more_body:
        began_at = monotonic()
        try:
            async with asyncio.timeout(idle_timeout_s):
                message = await receive()
        except TimeoutError:
            raise SlowBodyError(f"Nothing of the body came for {idle_timeout_s:g} s.") from None
        waited_s += monotonic() - began_at
        if message["type"] == "http.disconnect":
            raise ClientGoneError("The client left before its body ended.")
        piece: bytes = message.get("body", b"")
        received += len(piece)
        more_body = message.get("more_body", False)
        if more_body and waited_s > grace_s:
            if received < min_body_rate * waited_s:
                raise SlowBodyError(f"The body came slower than {min_body_rate} bytes a second.")
            # Each stretch of waiting must bring its own share: what came fast at first buys no time later.
            received, waited_s = 0, 0.0
        if piece:
            yield piece
