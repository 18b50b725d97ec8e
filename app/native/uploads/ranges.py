"""The old Python library's form: `uploadType=resumable`, the address in `Location`, chunks by PUT with Content-Range.

    308 with Range: continue after it      308 without Range: no bytes received yet      200 with the file: done

At Gemini the session is like any other. (Files API reference, section 2.2.)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from app.edge.body_timeouts import content_length
from app.errors import MalformedRequestError
from app.native.services import NativeCall
from app.native.uploads.address import gone
from app.native.uploads.chunks import SessionState, carry, query
from app.native.uploads.finishing import answer_final
from app.native.uploads.passing import Chunk
from app.request.context import context_of

_RANGE = re.compile(rb"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15}|\*)")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The bytes of a chunk: the offset of the first byte, their number, and whether the file ends with them."""

    first: int
    length: int
    is_final: bool


def read_range(written: bytes, length: int | None) -> ContentRange | None:
    """Read a Content-Range beside the request's Content-Length; None for `bytes */total`, which asks for the offset.

    Raises MalformedRequestError.
    """
    match = _RANGE.fullmatch(written.strip())
    if match is None:
        raise MalformedRequestError("Content-Range must be bytes a-b/total, or bytes */total to ask for the offset.")
    if match[1] is None:
        return None
    first, last = int(match[1]), int(match[2])
    if last < first or (length is not None and length != last + 1 - first):
        raise MalformedRequestError("Content-Range and Content-Length have different numbers of bytes.")
    total = None if match[3] == b"*" else int(match[3])
    if total is not None and last >= total:
        raise MalformedRequestError(f"Content-Range ends at byte {last} of a file of {total} bytes.")
    return ContentRange(first, last + 1 - first, is_final=total == last + 1)


async def ranged(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, token: str, headers: Mapping[bytes, bytes]
) -> None:
    """Serve one PUT on a session's address: a chunk, or a query for the acknowledged offset."""
    writer = call.services.writers.arrive(context_of(scope).arrival)
    written = headers.get(b"content-range")
    length = content_length(scope)
    if written is None:
        # Without a range the body is the whole file.
        chunk = Chunk(scope, receive, 0, length, is_final=True)
    elif (of := read_range(written, length)) is not None:
        chunk = Chunk(scope, receive, of.first, of.length, is_final=of.is_final)
    else:
        await _answer(send, await query(call, token))
        return
    await _answer(send, await carry(call, token, writer, chunk))


async def _answer(send: Send, state: SessionState) -> None:
    if state.body is not None:
        session = state.session
        await answer_final(send, state.body, name=session.upload_name, alias=session.alias)
        return
    if state.status != "active":
        raise gone()
    headers = [(b"content-length", b"0")]
    if state.received:
        headers.append((b"range", b"bytes=0-%d" % (state.received - 1)))
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
