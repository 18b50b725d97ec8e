"""Media inside JSON: decoded once, hashed once, and left out where a request is remembered.

Synchronous and slow on large bodies: the caller runs it in a thread. It knows `inlineData`
and the contents of interactions, no other message.
"""

import binascii
import hashlib
from functools import cached_property

import orjson
import pybase64

_SHOWN_BYTES = 65_536
_CONTENT_TYPES = ("image", "audio", "video", "document")


class Blob:
    """Decoded bytes and, once asked for, their SHA-256 in hex."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()


def decode_base64(text: str) -> bytes | None:
    """Decode base64 of either alphabet, padded or not; return None for any other text."""
    padded = text if len(text) % 4 == 0 else text + "=" * (-len(text) % 4)
    is_url_safe = "-" in text or "_" in text
    try:
        return pybase64.b64decode(padded, altchars=b"-_" if is_url_safe else None, validate=True)
    except (binascii.Error, ValueError):
        return None


def lift(tree: object, *, has_contents: bool = False) -> int:
    """Decode the media of a request in place, each to a Blob, and return the number of replaced characters.

    `has_contents` for a request of the Interactions API, whose media are objects with a `type`.
    """
    lifted = 0
    pending = [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            if has_contents and value.get("type") in _CONTENT_TYPES:
                lifted += _lift_data(value)
            for name, item in value.items():
                if name in {"inlineData", "inline_data"} and isinstance(item, dict):
                    lifted += _lift_data(item)
                elif isinstance(item, dict | list):
                    pending.append(item)
    return lifted


def _lift_data(inline: dict[str, object]) -> int:
    text = inline.get("data")
    if not isinstance(text, str):
        return 0
    data = decode_base64(text)
    if data is None:
        return 0
    inline["data"] = Blob(data)
    return len(text)


def without_media(tree: object) -> bytes | None:
    """Write a lifted tree as JSON, each medium as `{"sha256", "bytes"}`; None when that is not below 64 KiB."""
    try:
        text = orjson.dumps(tree, default=_describe)
    except orjson.JSONEncodeError:
        return None
    return text if len(text) < _SHOWN_BYTES else None


def as_base64(tree: object) -> object:
    """Return a lifted tree with its media in base64 again."""
    if isinstance(tree, Blob):
        return pybase64.b64encode(tree.data).decode()
    if isinstance(tree, list):
        return [as_base64(item) for item in tree]
    return {name: as_base64(item) for name, item in tree.items()} if isinstance(tree, dict) else tree


def _describe(value: object) -> object:
    if isinstance(value, Blob):
        return {"sha256": value.sha256, "bytes": len(value.data)}
    raise TypeError
