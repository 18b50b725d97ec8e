"""A command on a session's address: X-Goog-Upload-Command with upload, finalize, query or cancel.

For the SDKs (Files API reference, section 2.1) only 200 is success. The answer to a chunk worth repeating has no upload
status; the answer to a chunk that failed for good has `cancelled`.
"""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from app.edge.body_timeouts import content_length
from app.errors import MalformedRequestError
from app.native.services import NativeCall
from app.native.uploads.chunks import SessionState, cancel, carry, query
from app.native.uploads.finishing import answer_final
from app.native.uploads.passing import Chunk
from app.request.context import context_of


async def command(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, token: str, headers: Mapping[bytes, bytes]
) -> None:
    """Serve one command of a session."""
    writer = call.services.writers.arrive(context_of(scope).arrival)
    words = words_of(headers)
    match words:
        case ["query"]:
            await _answer(send, await query(call, token))
        case ["cancel"]:
            await cancel(call, token)
            await _answer_status(send, "cancelled", None)
        case ["upload"] | ["upload", "finalize"] | ["finalize"]:
            offset = offset_of(headers) if "upload" in words else None
            length = 0 if offset is None else content_length(scope)
            chunk = Chunk(scope, receive, offset, length, is_final="finalize" in words)
            await _answer(send, await carry(call, token, writer, chunk))
        case _:
            raise MalformedRequestError("X-Goog-Upload-Command must be upload, finalize, query or cancel.")


def words_of(headers: Mapping[bytes, bytes]) -> list[str]:
    """Return the words of X-Goog-Upload-Command in lower case."""
    return headers.get(b"x-goog-upload-command", b"").decode("latin-1").replace(" ", "").lower().split(",")


def offset_of(headers: Mapping[bytes, bytes]) -> int:
    """Return X-Goog-Upload-Offset in bytes. Raises MalformedRequestError."""
    written = headers.get(b"x-goog-upload-offset", b"")
    if not written.isdigit() or len(written) > 15:
        raise MalformedRequestError("X-Goog-Upload-Offset must be a number of bytes, at least 0.")
    return int(written)


async def _answer(send: Send, state: SessionState) -> None:
    if state.body is not None:
        session = state.session
        await answer_final(send, state.body, name=session.upload_name, alias=session.alias)
    else:
        await _answer_status(send, state.status, state.received)


async def _answer_status(send: Send, status: str, received: int | None) -> None:
    headers = [(b"x-goog-upload-status", status.encode()), (b"content-length", b"0")]
    if received is not None:
        headers.append((b"x-goog-upload-size-received", b"%d" % received))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
