"""An answer that is, or holds, a drawing: sent in pieces, so that one copy of it is all that there ever is.

    picture: the PNG, slice by slice
    JSON:    what stands before the drawing ── its Base64, slice by slice ── what stands behind it

The drawing's bytes stay counted among what the process holds until the last of them is sent.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping

import pybase64
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SLICE_BYTES = 192 * 1024
"""A multiple of three, so that slices of Base64 can be joined."""


class DrawnAnswer(Response):
    """Sends pieces of a known length altogether; `release` is called once, however sending ends."""

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
        """Send the answer."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._release()


def placeholder() -> str:
    """Give a string to stand in JSON where a drawing's Base64 will."""
    return f"drawing-{secrets.token_hex(16)}"


def as_picture(drawing: bytes) -> tuple[Iterator[bytes], int]:
    """Give a drawing's own bytes in pieces, and how many they are."""
    return _slices(drawing), len(drawing)


def as_json(text: bytes, standing_in: str, drawing: bytes) -> tuple[Iterator[bytes], int]:
    """Give JSON in pieces, the drawing's Base64 where its placeholder stands, and how many bytes they are."""
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
        yield bytes(view[at : at + SLICE_BYTES])
