"""The client's metadata of a file, from the body and headers of the start, in camelCase or snake_case."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from app.errors import FieldError, InvalidFieldError, MalformedRequestError
from app.native.scanning.roles import fold

MAX_METADATA_BYTES = 64 << 10
MAX_DISPLAY_NAME_CHARS = 512
DEFAULT_TYPE = "application/octet-stream"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_KNOWN = frozenset(
    {"name", "displayname", "mimetype", "sizebytes", "createtime", "updatetime", "expirationtime", "source"}
)
_TYPE = re.compile(r"[!-~]{1,127}(?:; ?[ -~]{1,60})?")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a file: the client's own name for it, its display name, its MIME type, its size in bytes."""

    alias: str | None = None
    display_name: str | None = None
    mime_type: str = DEFAULT_TYPE
    size_bytes: int | None = None


def read_metadata(body: bytes, headers: Mapping[bytes, bytes]) -> Metadata:
    """Return the metadata in a start's body, which may be empty, and in its headers; X-Goog-Upload-Header-* win.

    Raises MalformedRequestError and InvalidFieldError.
    """
    file = _file(body)
    declared = _said(headers, b"content-type") or _text(file, "mimetype")
    if declared and not _TYPE.fullmatch(declared):
        raise _invalid("file.mimeType", "is not a media type")
    length = _said(headers, b"content-length") or str(file.get("sizebytes") or "")
    if length and not (length.isdecimal() and len(length) <= 15):
        raise _invalid("file.sizeBytes", "is not a number of bytes")
    shown = _text(file, "displayname")
    if shown and len(shown) > MAX_DISPLAY_NAME_CHARS:
        raise _invalid("file.displayName", f"has more than {MAX_DISPLAY_NAME_CHARS} characters")
    return Metadata(_alias(_text(file, "name")), shown, declared or DEFAULT_TYPE, int(length) if length else None)


def _said(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """Return the start's header about the content, by its current name or its former one; None without the header."""
    found = headers.get(b"x-goog-upload-header-" + name) or headers.get(b"x-upload-" + name, b"")
    return found.decode("latin-1")


def _file(body: bytes) -> dict[str, object]:
    if not body.strip():
        return {}
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedRequestError("Invalid JSON payload received: the body must be JSON or empty.") from None
    file = parsed.get("file") if isinstance(parsed, dict) else None
    if parsed == {} or (isinstance(parsed, dict) and file is None and set(parsed) <= {"file"}):
        return {}
    if not isinstance(file, dict) or len(parsed) > 1:
        raise MalformedRequestError('Invalid JSON payload received: the body must be {"file": {...}} or empty.')
    folded = {fold(name): value for name, value in file.items()}
    unknown = sorted(set(folded) - _KNOWN)
    if unknown or len(folded) < len(file):
        name = unknown[0][:60] if unknown else "one twice"
        raise MalformedRequestError(
            f"Invalid JSON payload received. Unknown name \"{name}\" at 'file': Cannot find field."
        )
    return folded


def _text(file: Mapping[str, object], name: str) -> str | None:
    value = file.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(f"file.{name}", "is not a string")
    return value or None


def _alias(name: str | None) -> str | None:
    if name is None:
        return None
    alias = name.removeprefix("files/")
    if not _NAME.fullmatch(alias):
        raise _invalid("file.name", "must have 1 to 40 characters of a-z, 0-9 and dashes, without a dash at either end")
    return alias


def _invalid(field: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{field}: {message}.", errors=(FieldError(field, message),))
