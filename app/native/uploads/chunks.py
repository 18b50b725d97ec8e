"""The commands on a session's address, in whichever form they come: a chunk, a query, a cancel.

    token ──> session of the client ──> the one writer (fence) ──> what has Gemini? ──> pass on what it lacks

No chunk is held here. The module knows no form of the protocol but Gemini's answer to finalize.
"""

from dataclasses import dataclass

from app.errors import GatewayError, MalformedRequestError, OffsetConflictError, UploadFailedError
from app.gemini.remote_files import RemoteFile
from app.gemini.resumable import ActiveUpload, FinishedUpload, ResumableSession
from app.native.services import NativeCall
from app.native.uploads.address import CANCELLED, digest, gone
from app.native.uploads.finishing import record
from app.native.uploads.lines import UploadedLines
from app.native.uploads.passing import Chunk, Passing, check_end, dropped
from app.native.uploads.start import check_size
from app.native.uploads.writing import Writing, writing
from app.native.writers import Writer
from app.store.upload_sessions import UploadSession


@dataclass(frozen=True, slots=True)
class SessionState:
    """How a session stands: its status, in Gemini's word, its bytes, and Gemini's answer to finalize if it is final."""

    session: UploadSession
    status: str
    received: int | None
    body: bytes | None = None


async def query(call: NativeCall, token: str) -> SessionState:
    """Ask Gemini how a session stands. Raises ResourceNotFoundError."""
    session = await _find(call, token)
    if session.document is not None:
        return _finished(session)
    match await _upstream(call, session).standing():
        case FinishedUpload(file):
            lines = None if session.scan is None else UploadedLines.restore(session.scan)
            await record(call, session.owner, file, size_bytes=_size(session, session.received), lines=lines)
            return SessionState(session, "final", None, file.body)
        case ActiveUpload(received):
            return SessionState(session, "active", received)
    return SessionState(session, "cancelled", None)


async def cancel(call: NativeCall, token: str) -> None:
    """Cancel a session. Raises ResourceNotFoundError."""
    session = await _find(call, token)
    if session.document is None:
        await call.services.files.cancel(_upstream(call, session), may_be_final=session.is_unsure)


async def carry(call: NativeCall, token: str, writer: Writer, chunk: Chunk) -> SessionState:
    """Carry a chunk to Gemini. When this returns, the next chunk may come at once, to any replica.

    Raises ResourceNotFoundError, UploadConflictError, OffsetConflictError and MalformedRequestError for a chunk that
    does not fit, and what passing the chunk on raises.
    """
    async with writing(call, digest(token), writer) as own:
        try:
            return await _carry(call, own, chunk)
        except UploadFailedError:
            # The client may have cancelled the upload at another process.
            if await call.services.upload_sessions.get(own.session.token_hash) is None:
                raise gone() from None
            raise


async def _find(call: NativeCall, token: str) -> UploadSession:
    session = await call.services.upload_sessions.get(digest(token))
    if session is None or session.owner != call.client.id:
        raise gone()
    return session


def _upstream(call: NativeCall, session: UploadSession) -> ResumableSession:
    try:
        return call.services.files.pick_up_sealed(session.upload_name, session.sealed)
    except UploadFailedError as error:
        error.headers.update(CANCELLED)
        raise


def _finished(session: UploadSession) -> SessionState:
    return SessionState(session, "final", session.received, b'{"file": %b}' % (session.document or "").encode())


def _size(session: UploadSession, received: int) -> int:
    return session.declared_bytes or received


async def _carry(call: NativeCall, own: Writing, chunk: Chunk) -> SessionState:
    session = own.session
    _check_fit(call, session, chunk)
    if session.document is not None:
        # All bytes are there: a chunk that is repeated is acknowledged.
        await Passing(chunk, own).drop()
        own.is_sure = True
        return _finished(session) if chunk.is_final else SessionState(session, "active", session.received)
    upstream = _upstream(call, session)
    if not own.is_sure or (chunk.offset is not None and chunk.offset > own.received):
        # Gemini is asked also before a client is told of a gap: the recorded number may be less than Gemini has.
        match await upstream.standing():
            case FinishedUpload(file):
                await Passing(chunk, own).drop()
                state = await _record(call, own, file)
                return state if chunk.is_final else SessionState(session, "active", own.received)
            case ActiveUpload(received):
                own.stand_at(received)
            case _:
                raise dropped()
    if chunk.offset is not None and chunk.offset > own.received:
        raise OffsetConflictError(
            f"The chunk begins at {chunk.offset}, but {own.received} bytes were received; continue from there."
        )
    if own.lines is not None:
        own.lines.stand_at(own.received)
    passing = Passing(chunk, own)
    if chunk.is_final:
        return await _record(call, own, await passing.finish(upstream))
    await passing.send(upstream)
    return SessionState(session, "active", own.received)


def _check_fit(call: NativeCall, session: UploadSession, chunk: Chunk) -> None:
    """Judge a chunk by its head, before a byte of its body is read: an error that cannot be mended says `cancelled`."""
    if chunk.offset is None or not chunk.length:
        return
    end = chunk.offset + chunk.length
    try:
        check_size(call, end)
    except GatewayError as error:
        error.headers.update(CANCELLED)
        raise
    check_end(end, session.declared_bytes)
    if chunk.is_final and session.declared_bytes is not None and end < session.declared_bytes:
        raise MalformedRequestError(
            f"The upload ends at byte {end}, but its start declared {session.declared_bytes}; send the rest first."
        )


async def _record(call: NativeCall, own: Writing, file: RemoteFile) -> SessionState:
    session = own.session
    size = await record(call, session.owner, file, size_bytes=_size(session, own.received), lines=own.lines)
    own.received, own.is_sure, own.is_recorded = size, True, True
    return SessionState(session, "final", size, file.body)
