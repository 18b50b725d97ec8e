"""A response that is or contains a drawing, sent in pieces so that only one copy of the drawing exists.

    picture: the PNG, slice by slice
    JSON:    text before the drawing ── its base64, slice by slice ── text after the drawing

The drawing counts against the held bytes of the process until its last byte is sent.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping

import pybase64
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# A multiple of three, so that the base64 of slices can be joined.
SLICE_BYTES = 192 * 1024


class DrawnAnswer(Response):
    """Sends pieces of a known total length; `release` is called once, however sending ends."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        length: int,
        *,
        media_type: str,
        headers: Mapping[str, str],
        release: Callable[[], None],
    ) -> None:
        super().__init__(media_type=media_type, headers={**headers, "content-length": str(length)})
        self._pieces = pieces
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._release()


def placeholder() -> str:
    """Return a string that marks the place of a drawing's base64 in JSON."""
    return f"drawing-{secrets.token_hex(16)}"


def as_picture(drawing: bytes) -> tuple[Iterator[bytes], int]:
    """Return a drawing's bytes in pieces, and their number."""
    return _slices(drawing), len(drawing)


def as_json(text: bytes, standing_in: str, drawing: bytes) -> tuple[Iterator[bytes], int]:
    """Return JSON in pieces, with the drawing's base64 at its placeholder, and the number of bytes."""
    before, _, behind = text.partition(standing_in.encode())

    def pieces() -> Iterator[bytes]:
        yield before
        for piece in _slices(drawing):
            yield pybase64.b64encode(piece)
        yield behind

    return pieces(), len(before) + (len(drawing) + 2) // 3 * 4 + len(behind)


def _slices(drawing: bytes) -> Iterator[bytes]:
    view = memoryview(drawing)
    for at in range(0, len(drawing), SLICE_BYTES):
        # A slice is copied only when it is sent.
        yield bytes(view[at : at + SLICE_BYTES])
