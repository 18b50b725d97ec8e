"""The commands on a session's address, in every form of the protocol: a chunk, a query, a cancel.

    token ──> session of the client ──> the one writer (fence) ──> bytes at Gemini? ──> pass on the missing bytes

No chunk is held here. Of the forms of the protocol this module knows only Gemini's answer to finalize.
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
    """The state of a session: Gemini's word for its status, its received bytes, and the answer to finalize if final."""

    session: UploadSession
    status: str
    received: int | None
    body: bytes | None = None


async def query(call: NativeCall, token: str) -> SessionState:
    """Ask Gemini for the state of a session. Raises ResourceNotFoundError."""
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
        await call.services.files.endings.cancel(_upstream(call, session), may_be_final=session.is_unsure)


async def carry(call: NativeCall, token: str, writer: Writer, chunk: Chunk) -> SessionState:
    """Pass a chunk on to Gemini. After the return, the next chunk may be sent at once, to any replica.

    Raises ResourceNotFoundError, UploadConflictError, OffsetConflictError and MalformedRequestError for a chunk that
    does not fit, and the errors of `Passing`.
    """
    async with writing(call, digest(token), writer) as own:
        try:
            return await _carry(call, own, chunk)
        except UploadFailedError:
            # The client may have cancelled the upload through another replica.
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
        # Gemini has all bytes already: a repeated chunk is acknowledged.
        await Passing(chunk, own).drop()
        own.is_sure = True
        return _finished(session) if chunk.is_final else SessionState(session, "active", session.received)
    upstream = _upstream(call, session)
    if not own.is_sure or (chunk.offset is not None and chunk.offset > own.received):
        # Gemini is also asked before a gap is reported, since Gemini may have more bytes than were recorded.
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
            f"The chunk begins at byte {chunk.offset}, but {own.received} bytes were received; continue from there."
        )
    if own.lines is not None:
        own.lines.stand_at(own.received)
    passing = Passing(chunk, own)
    if chunk.is_final:
        return await _record(call, own, await passing.finish(upstream))
    await passing.send(upstream)
    return SessionState(session, "active", own.received)


def _check_fit(call: NativeCall, session: UploadSession, chunk: Chunk) -> None:
    """Judge a chunk by its head, before its body is read. An error that no retry mends has the status `cancelled`."""
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
