"""The old Python library's form: `uploadType=resumable`, the address in `Location`, chunks by PUT with Content-Range.

    308 with Range: go on behind it      308 without Range: nothing has come yet      200 with the file: done

At Gemini it is a session like any other. (Files API reference, section 2.2.)
"""

import re
from collections.abc import Mapping

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


async def ranged(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, token: str, headers: Mapping[bytes, bytes]
) -> None:
    """Serve one PUT on a session's address: a chunk, or a question for what has come."""
    writer = call.services.writers.arrive(context_of(scope).arrival)
    written = headers.get(b"content-range")
    match = None if written is None else _RANGE.fullmatch(written.strip())
    if written is None:
        # Without a range the body is the whole file.
        state = await carry(call, token, writer, Chunk(scope, receive, 0, content_length(scope), is_final=True))
    elif match is None:
        raise MalformedRequestError("Content-Range is of the form bytes a-b/total, or bytes */total to ask.")
    elif match[1] is None:
        state = await query(call, token)
    else:
        first, last = int(match[1]), int(match[2])
        length = content_length(scope)
        if last < first or (length is not None and length != last + 1 - first):
            raise MalformedRequestError("Content-Range and Content-Length do not say the same number of bytes.")
        is_final = match[3] != b"*" and last + 1 == int(match[3])
        state = await carry(call, token, writer, Chunk(scope, receive, first, last + 1 - first, is_final=is_final))
    await _answer(send, state)


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
