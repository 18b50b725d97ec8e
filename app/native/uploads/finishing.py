"""The end of an upload: what Gemini says of the file is kept, its owner gets an id for it, and the answer goes out."""

import orjson
from starlette.types import Send

from app.gemini.remote_files import RemoteFile
from app.media.filenames import clean_filename
from app.native.scanning import JsonLinesScanner
from app.native.services import Call
from app.native.uploads.document import sha256_of, shown
from app.store.records import NO_FACTS, Facts, Origin


async def record(
    call: Call,
    owner: str,
    file: RemoteFile,
    *,
    name: str,
    size_bytes: int,
    lines: JsonLinesScanner | None,
    facts: Facts = NO_FACTS,
) -> None:
    """Record a file by Gemini's answer to finalize, as its owner's."""
    described = orjson.loads(file.document or "{}")
    named: str | None = None
    if lines is not None:
        lines.end()
        named = orjson.dumps(sorted(lines.references)).decode() if lines.is_readable else None
    files = call.services.files
    await files.complete(file, size_bytes=size_bytes, sha256=sha256_of(described) or "", facts=facts, named=named)
    shown_name = described.get("displayName")
    filename = clean_filename(shown_name) if isinstance(shown_name, str) else None
    await files.add(owner, name, origin=Origin.NATIVE, filename=filename)


async def answer_final(send: Send, body: bytes, *, name: str, alias: str | None) -> None:
    """Answer with Gemini's words, and the client's own name for the file in the place of Gemini's."""
    told = shown(body, name, alias)
    headers = [
        (b"x-goog-upload-status", b"final"),
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"content-length", b"%d" % len(told)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})
