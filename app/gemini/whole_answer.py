"""Reads an answer of Gemini's to its end, within a bound. This module knows no envelope and no compression."""

from aiohttp import ClientResponse

from app.errors import UpstreamFailedError


async def read_whole(answer: ClientResponse, max_bytes: int) -> bytes:
    """Return the whole body of `answer`. Raises UpstreamFailedError if the body has more than `max_bytes`."""
    # `read(n)` and `readany()` return after the first TCP segment, even a short one; only at_eof() means the end.
    content = answer.content
    body = bytearray()
    while True:
        body += await content.readany()
        if len(body) > max_bytes:
            raise UpstreamFailedError(f"Gemini's answer is larger than {max_bytes} bytes.")
        if content.at_eof():
            return bytes(body)
