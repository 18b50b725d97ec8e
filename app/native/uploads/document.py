"""Gemini's description of a file, and its form for the owner: the same bytes but for the owner's name of the file."""

import base64
from collections.abc import Mapping

from app.gemini.remote_files import URI_PREFIX

MAX_SIZE_DIGITS = 15


def shown(document: bytes, name: str, alias: str | None) -> bytes:
    """Return a description of the file `name` with the owner's name, if there is one, in place of Gemini's."""
    if alias is None:
        return document
    for said in (URI_PREFIX + name, f"files/{name}"):
        document = document.replace(b'"%b"' % said.encode(), b'"%b"' % said.replace(name, alias).encode())
    return document


def size_of(file: Mapping[str, object]) -> int | None:
    """Return `sizeBytes`, which Gemini writes as a string; None if it is absent or not a number."""
    written = str(file.get("sizeBytes", ""))
    return int(written) if written.isascii() and written.isdigit() and len(written) <= MAX_SIZE_DIGITS else None


def sha256_of(file: Mapping[str, object]) -> str | None:
    """Return `sha256Hash` as hex. Gemini writes base64 of the digest or of its hex (Files API reference, section 2)."""
    written = file.get("sha256Hash")
    if not isinstance(written, str):
        return None
    try:
        decoded = base64.b64decode(written, validate=True)
    except ValueError:
        return None
    if len(decoded) == 32:
        return decoded.hex()
    text = decoded.decode("ascii", "replace").lower()
    return text if len(text) == 64 and not set(text) - set("0123456789abcdef") else None
