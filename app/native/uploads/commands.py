"""A command on a session's address: upload, finalize, query, cancel, each passed on while it arrives.

    token ──> session, owner's key alive? ──> the one writer (fence) ──> what has Gemini? ──> pass on what it lacks

Towards the SDKs (Files API reference, section 2.1): only 200 is success; a chunk worth repeating is answered without an
upload status, one that failed for good with `cancelled`. Nothing of a chunk is held but what is on its way.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from app.edge.body import content_length
from app.errors import (
    GatewayError,
    MalformedRequestError,
    OffsetConflictError,
    UploadFailedError,
)
from app.gemini.remote_files import read_file
from app.gemini.resumable import ResumableSession
from app.native.services import Call
from app.native.uploads.address import digest
from app.native.uploads.finishing import answer_final, record
from app.native.uploads.passing import Passing
from app.native.uploads.start import check_size
from app.native.uploads.writing import CANCELLED, Writing, gone, writing
from app.store.upload_sessions import UploadSession

LONGEST_TOKEN = 100


async def command(
    scope: Scope, receive: Receive, send: Send, call: Call, *, token: str, headers: Mapping[bytes, bytes]
) -> None:
    """Serve one command of a session."""
    # A client that comes again is known to have, however long the database lets either request wait.
    writer = call.services.writers.arrive()
    if len(token) > LONGEST_TOKEN:
        raise gone()
    words = headers.get(b"x-goog-upload-command", b"").decode("latin-1").replace(" ", "").lower().split(",")
    # With a credential of another's, the address is as good as none.
    owner = call.client.id if "gateway.client" in scope else None
    match words:
        case ["query"]:
            await _query(send, call, await _session(call, token, owner))
        case ["cancel"]:
            await _cancel(send, call, await _session(call, token, owner))
        case ["upload"] | ["upload", "finalize"] | ["finalize"]:
            offset = _offset(headers) if "upload" in words else None
            chunk = _Chunk(scope, receive, offset, is_final="finalize" in words)
            async with writing(call, digest(token), writer, owner=owner) as own:
                await _check_live(call, own.session, owner)
                answer = await _upload(call, own, chunk)
            # Answered when the session is at rest: the next command may come at once, and to any replica.
            await answer(send)
        case _:
            raise MalformedRequestError("X-Goog-Upload-Command is one of upload, finalize, query and cancel.")


async def _session(call: Call, token: str, owner: str | None) -> UploadSession:
    session = await call.services.upload_sessions.get(digest(token))
    if session is None or owner not in {None, session.owner}:
        raise gone()
    await _check_live(call, session, owner)
    return session


async def _check_live(call: Call, session: UploadSession, owner: str | None) -> None:
    """Let an address die with its owner's key, where it comes without one."""
    if owner is None and not await call.services.authenticator.is_owner_live(session.owner):
        raise gone()


def _offset(headers: Mapping[bytes, bytes]) -> int:
    written = headers.get(b"x-goog-upload-offset", b"")
    if not written.isdigit() or len(written) > 15:
        raise MalformedRequestError("X-Goog-Upload-Offset is a number of bytes from 0.")
    return int(written)


def _upstream(call: Call, session: UploadSession) -> ResumableSession:
    try:
        return call.services.library.pick_up_sealed(session.upload_name, session.sealed)
    except UploadFailedError as error:
        error.headers.update(CANCELLED)
        raise


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What came with an upload command, its body not read yet; `offset` is None for finalize alone."""

    scope: Scope
    receive: Receive
    offset: int | None
    is_final: bool


async def _query(send: Send, call: Call, session: UploadSession) -> None:
    if session.document is not None:
        await _answer_again(send, session)
        return
    said = await _upstream(call, session).query()
    if said.status == "final" and said.body:
        await _record(call, session, said.body)
        await answer_final(send, said.body, name=session.upload_name, alias=session.alias)
        return
    await _answer(send, said.status or "cancelled", said.received)


async def _cancel(send: Send, call: Call, session: UploadSession) -> None:
    if session.document is None:
        await _upstream(call, session).cancel()
        await call.services.library.close(session.upload_name)
    await _answer(send, "cancelled", None)


async def _answer_again(send: Send, session: UploadSession) -> None:
    body = b'{"file": %b}' % (session.document or "").encode()
    await answer_final(send, body, name=session.upload_name, alias=session.alias)


async def _answer(send: Send, status: str, received: int | None) -> None:
    headers = [(b"x-goog-upload-status", status.encode()), (b"content-length", b"0")]
    if received is not None:
        headers.append((b"x-goog-upload-size-received", b"%d" % received))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _upload(call: Call, own: Writing, chunk: _Chunk) -> Callable[[Send], Awaitable[None]]:
    """Pass a chunk on; gives what answers it."""
    session, offset, is_final = own.session, chunk.offset, chunk.is_final
    if session.document is not None:
        # Everything is there: a repeated command is told so.
        own.is_sure = True
        return partial(_answer_again, session=session) if is_final else _active(session.received)
    length = content_length(chunk.scope) if offset is not None else 0
    _check_fit(call, session, offset, length)
    upstream = _upstream(call, session)
    received = await _received(own, upstream)
    start = received if offset is None else offset  # finalize alone comes without one
    if start > received:
        raise OffsetConflictError(f"The chunk begins at {start}, and {received} bytes are there.")
    own.is_sure = False
    passing = Passing(chunk.scope, chunk.receive, call, own, skip=received - start)
    body = await passing.send(upstream, at=received, length=length, is_final=is_final)
    if body is None:
        return _active(own.received)
    await _record(call, session, body, own)
    return partial(answer_final, body=body, name=session.upload_name, alias=session.alias)


def _active(received: int) -> Callable[[Send], Awaitable[None]]:
    return partial(_answer, status="active", received=received)


def _check_fit(call: Call, session: UploadSession, offset: int | None, length: int | None) -> None:
    """Judge a chunk by its head: what cannot be mended says so, before a byte of it is read."""
    if offset is None or not length:
        return
    declared = session.declared_bytes
    try:
        check_size(call, offset + length)
    except GatewayError as error:
        error.headers.update(CANCELLED)
        raise
    if declared is not None and offset + length > declared:
        raise MalformedRequestError(
            f"The upload has {offset + length} bytes so far, more than the {declared} that its start declared.",
            headers=CANCELLED,
        )


async def _received(own: Writing, upstream: ResumableSession) -> int:
    """Tell what Gemini has: as it was last acknowledged, or as Gemini says where that is not sure."""
    if own.is_sure:
        return own.received
    said = await upstream.query()
    if said.received is None or said.status != "active":
        if said.status == "final" and said.body:
            return own.received
        raise UploadFailedError("Gemini has dropped the upload; start it again.", headers=CANCELLED)
    own.received, own.is_sure = said.received, True
    return said.received


async def _record(call: Call, session: UploadSession, body: bytes, own: Writing | None = None) -> None:
    lines = None if own is None else own.lines
    received = session.received if own is None else own.received
    size = session.declared_bytes or received
    await record(call, session.owner, read_file(body), name=session.upload_name, size_bytes=size, lines=lines)
