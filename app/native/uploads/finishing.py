"""The end of an upload: store Gemini's description of the file, create the owner's id for it, and answer."""

import orjson
from starlette.types import Send

from app.gemini.remote_files import RemoteFile
from app.media.filenames import clean_filename
from app.native.services import NativeCall
from app.native.uploads.document import sha256_of, shown, size_of
from app.native.uploads.lines import UploadedLines
from app.store.records import NO_FACTS, MediaFacts, Origin


async def record(
    call: NativeCall,
    owner: str,
    file: RemoteFile,
    *,
    size_bytes: int,
    lines: UploadedLines | None,
    facts: MediaFacts = NO_FACTS,
) -> int:
    """Record a finished upload for its owner; return the file's size in bytes.

    `size_bytes` is used only if Gemini's description lacks the size. A file that was recorded before keeps its id.
    """
    described = orjson.loads(file.document or "{}")
    said = size_of(described)
    named = None if lines is None else lines.named_in(said)
    size = size_bytes if said is None else said
    files = call.services.files
    await files.complete(file, size_bytes=size, sha256=sha256_of(described) or "", facts=facts, named=named)
    shown_name = described.get("displayName")
    filename = clean_filename(shown_name) if isinstance(shown_name, str) else None
    await files.add(owner, file.name, origin=Origin.NATIVE, filename=filename, is_only=True)
    return size


async def answer_final(send: Send, body: bytes, *, name: str, alias: str | None) -> None:
    """Send Gemini's answer, with the client's own name for the file in place of Gemini's."""
    told = shown(body, name, alias)
    headers = [
        (b"x-goog-upload-status", b"final"),
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"content-length", b"%d" % len(told)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})
