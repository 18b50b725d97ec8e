"""The start of a resumable upload: check limits, choose the file's name, open a session, return its address."""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from app.clients.limit_owners import stored_limits
from app.edge.body_timeouts import body_of
from app.errors import EmptyFileError, FileTooLargeError, GatewayError, LengthRequiredError, MalformedRequestError
from app.gemini.resumable import ResumableSession
from app.native.services import NativeCall
from app.native.uploads.address import address, digest, new_token
from app.native.uploads.lines import UploadedLines
from app.native.uploads.metadata import MAX_METADATA_BYTES, Metadata, read_metadata
from app.native.uploads.writing import SESSION_LIFETIME_S

# Clients use several types for JSON Lines. Files of these types are scanned during the upload, since each may become
# the file of a batch; the scan of a file that is not JSON Lines ends at its first line.
_LINES_TYPES = frozenset({"text/plain", "application/octet-stream"})
_LINES_WORDS = ("json", "jsonl", "ndjson", "jsonlines")


async def start(
    scope: Scope, receive: Receive, send: Send, call: NativeCall, *, headers: Mapping[bytes, bytes], is_ranged: bool
) -> None:
    """Serve `X-Goog-Upload-Command: start`, and the start of a session whose chunks have a Content-Range."""
    if not is_ranged and headers.get(b"x-goog-upload-command", b"").strip().lower() != b"start":
        raise MalformedRequestError("X-Goog-Upload-Command must be start if the URL has no upload_id.")
    metadata = read_metadata(await _small_body(scope, receive, call), headers)
    if metadata.size_bytes is None and call.services.metering.admission.has_byte_limits(call.client):
        # The following chunks carry no credential, and so the client's limits must be checked now.
        raise LengthRequiredError(
            "X-Goog-Upload-Header-Content-Length (the file's size) is required, because your limits are in bytes."
        )
    session = await open_session(call, metadata)
    token = new_token()
    services = call.services
    try:
        await services.upload_sessions.add(
            digest(token),
            upload_name=session.name,
            declared_bytes=metadata.size_bytes,
            granularity=session.granularity,
            scan=UploadedLines().save() if is_lines(metadata.mime_type) else None,
        )
        await services.files.put_down(session.name, for_s=SESSION_LIFETIME_S)
    except GatewayError:
        services.files.endings.abandon(session)
        raise
    url = address(scope, call.route.version, token, is_ranged=is_ranged).encode()
    answer = (
        [(b"location", url), (b"content-length", b"0")]
        if is_ranged
        else [
            (b"x-goog-upload-status", b"active"),
            (b"x-goog-upload-url", url),
            (b"x-goog-upload-control-url", url),
            (b"x-goog-upload-chunk-granularity", b"%d" % session.granularity),
            (b"content-length", b"0"),
        ]
    )
    await send({"type": "http.response.start", "status": 200, "headers": answer})
    await send({"type": "http.response.body", "body": b""})


async def open_session(call: NativeCall, metadata: Metadata) -> ResumableSession:
    """Check a file by its metadata, count it against the client's limits, and open its session.

    Raises EmptyFileError, FileTooLargeError, RateLimitedError, StoredBytesError, NameTakenError, and Gemini's refusals.
    """
    services, client, size = call.services, call.client, metadata.size_bytes
    check_size(call, size)
    await services.metering.admission.take_bytes(client, size or 0)
    await services.files.room_for(client.id, size or 0, at_most=stored_limits(client))
    return await services.files.start(
        client.id,
        mime_type=metadata.mime_type,
        size_bytes=size,
        alias=metadata.alias,
        display_name=metadata.display_name,
        at_most=stored_limits(client),
    )


def check_size(call: NativeCall, size_bytes: int | None) -> None:
    """Raise EmptyFileError or FileTooLargeError for a file without bytes or with too many."""
    if size_bytes == 0:
        raise EmptyFileError("The file has no bytes.")
    most = call.services.settings.max_file_bytes
    if size_bytes is not None and size_bytes > most:
        raise FileTooLargeError(f"The file has {size_bytes} bytes; at most {most} are allowed.")
    if size_bytes is not None:
        call.services.metering.admission.check_file(call.client, size_bytes)


def is_lines(mime_type: str) -> bool:
    """Whether a file of this type may be a batch's."""
    essence = mime_type.partition(";")[0].strip().lower()
    return essence in _LINES_TYPES or essence.endswith(_LINES_WORDS)


async def _small_body(scope: Scope, receive: Receive, call: NativeCall) -> bytes:
    body = bytearray()
    async for piece in body_of(scope, receive, call.services.settings):
        body += piece
        if len(body) > MAX_METADATA_BYTES:
            raise MalformedRequestError(f"The body of a start may have at most {MAX_METADATA_BYTES} bytes.")
    return bytes(body)
