"""The beginning of an upload: the client's description of the file, in JSON and in headers of either family."""

from collections.abc import Mapping
from typing import cast

from gemini_emulator.failures import invalid
from gemini_emulator.files.stored import FileRequest
from gemini_emulator.proto.messages import CREATE_FILE
from gemini_emulator.proto.parser import parse

_UNKNOWN_TYPE = "application/octet-stream"
_TYPE_HEADERS = ("x-goog-upload-header-content-type", "x-upload-content-type")
_LENGTH_HEADERS = (
    "x-goog-upload-header-content-length",
    "x-goog-upload-content-length",
    "x-upload-content-length",
)


def read_request(document: object, headers: Mapping[str, str], *, content_type: str = "") -> FileRequest:
    """Read the description of a file.

    `document` is the metadata, `{"file": {...}}`; `content_type` is that of the bytes if the same request has them.
    Headers win over metadata in length, metadata over headers in type. Raises ApiFailureError for malformed values.
    """
    file = cast("Mapping[str, object]", parse(CREATE_FILE, document).get("file", {}))
    declared = next((headers[name] for name in _TYPE_HEADERS if headers.get(name)), "")
    return FileRequest(
        file_id=str(file.get("name", "")).removeprefix("files/"),
        display_name=str(file.get("displayName", "")),
        mime_type=str(file.get("mimeType", "")) or declared or content_type or _UNKNOWN_TYPE,
        size_bytes=_length(file, headers),
    )


def _length(file: Mapping[str, object], headers: Mapping[str, str]) -> int | None:
    for name in _LENGTH_HEADERS:
        written = headers.get(name)
        if written is None:
            continue
        if written == "-1":
            return None
        if not written.isdecimal():
            raise invalid(f"The header {name} must be a number of bytes.")
        return int(written)
    size = file.get("sizeBytes")
    if isinstance(size, int) and size < 0:
        raise invalid("* CreateFileRequest.file.size_bytes: must not be negative.")
    return size if isinstance(size, int) else None
