"""What is done with a session, by whichever form of the protocol it is asked: a chunk carried, a query, a cancel.

    token ──> session of the client ──> the one writer (fence) ──> what has Gemini? ──> pass on what it lacks

Nothing of a chunk is held but what is on its way. It knows no form of the protocol but Gemini's answer to finalize.
"""

from dataclasses import dataclass

from starlette.types import Receive, Scope

from app.edge.body_timeouts import content_length
from app.errors import GatewayError, MalformedRequestError, OffsetConflictError, UploadFailedError
from app.gemini.remote_files import read_file
from app.gemini.resumable import ResumableSession
from app.native.services import Call
from app.native.uploads.address import CANCELLED, digest, gone
from app.native.uploads.finishing import record
from app.native.uploads.passing import Passing
from app.native.uploads.start import check_size
from app.native.uploads.writing import Writing, writing
from app.native.writers import Writer
from app.store.upload_sessions import UploadSession


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is to be written, its body not read yet; `offset` is None where there is nothing but the end."""

    scope: Scope
    receive: Receive
    offset: int | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session stands: its status, in Gemini's word, what it has, and when it is final, Gemini's answer."""

    session: UploadSession
    status: str
    received: int | None
    body: bytes | None = None


async def query(call: Call, token: str) -> Outcome:
    """Ask how a session stands. Raises ResourceNotFoundError."""
    session = await _find(call, token)
    if session.document is not None:
        return _finished(session)
    said = await _upstream(call, session).query()
    if said.status == "final" and said.body:
        await _record(call, session, said.body)
        return Outcome(session, "final", None, said.body)
    return Outcome(session, said.status or "cancelled", said.received)


async def cancel(call: Call, token: str) -> None:
    """Cancel a session. Raises ResourceNotFoundError."""
    session = await _find(call, token)
    if session.document is None:
        await _upstream(call, session).cancel()
        await call.services.files.close(session.upload_name)
        await call.services.leases.release(session.token_hash)


async def carry(call: Call, token: str, writer: Writer, chunk: Chunk) -> Outcome:
    """Carry a chunk to Gemini. When it returns, the next may come at once, to any replica.

    Raises ResourceNotFoundError, BusyError, OffsetConflictError and MalformedRequestError for what does not fit, and
    what passing it on raises.
    """
    async with writing(call, digest(token), writer) as own:
        try:
            return await _carry(call, own, chunk)
        except UploadFailedError:
            # Whoever cancelled it may have done so at another process.
            if await call.services.upload_sessions.get(own.session.token_hash) is None:
                raise gone() from None
            raise


async def _find(call: Call, token: str) -> UploadSession:
    session = await call.services.upload_sessions.get(digest(token))
    if session is None or session.owner != call.client.id:
        raise gone()
    return session


def _upstream(call: Call, session: UploadSession) -> ResumableSession:
    try:
        return call.services.files.pick_up_sealed(session.upload_name, session.sealed)
    except UploadFailedError as error:
        error.headers.update(CANCELLED)
        raise


def _finished(session: UploadSession) -> Outcome:
    return Outcome(session, "final", session.received, b'{"file": %b}' % (session.document or "").encode())


async def _carry(call: Call, own: Writing, chunk: Chunk) -> Outcome:
    session, offset, is_final = own.session, chunk.offset, chunk.is_final
    if session.document is not None:
        # Everything is there: what is repeated is told so.
        own.is_sure = True
        return _finished(session) if is_final else Outcome(session, "active", session.received)
    length = content_length(chunk.scope) if offset is not None else 0
    _check_fit(call, session, offset, length)
    upstream = _upstream(call, session)
    received = await _received(own, upstream)
    if offset is not None and offset > received:
        # Before a client is told so, Gemini is asked: what is remembered may be less than it has.
        own.is_sure = False
        received = await _received(own, upstream)
    start = received if offset is None else offset
    if start > received:
        raise OffsetConflictError(f"The chunk begins at {start}, and {received} bytes are there.")
    own.is_sure = False
    passing = Passing(chunk.scope, chunk.receive, call, own, skip=received - start)
    body = await passing.send(upstream, at=received, length=length, is_final=is_final)
    if body is None:
        own.is_between_chunks = True
        return Outcome(session, "active", own.received)
    await _record(call, session, body, own)
    return Outcome(session, "final", own.received, body)


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
