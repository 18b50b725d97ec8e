"""Decompresses a whole answer of Gemini's, within a bound. This module knows no envelope."""

import zlib

from app.errors import UpstreamFailedError

# zlib's name for gzip framing around deflated data.
_GZIP_WINDOW = 31
_PLAIN = frozenset({"", "identity"})


def decoded(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return a whole body decompressed; its Content-Encoding must be gzip, identity or absent.

    Raises UpstreamFailedError for another encoding, for a body that is not gzip, and above `max_bytes` decompressed.
    """
    name = encoding.strip().lower()
    if name in _PLAIN:
        return body
    if name != "gzip":
        raise UpstreamFailedError(f"Gemini's answer has the encoding {name[:20]!r}, which was not requested.")
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        # One byte above the bound, to tell a body that fits from a longer one.
        text = inflate.decompress(body, max_bytes + 1)
    except zlib.error:
        raise UpstreamFailedError("Gemini's answer is not the gzip that its Content-Encoding names.") from None
    if len(text) > max_bytes:
        raise UpstreamFailedError(f"Gemini's answer is larger than {max_bytes} bytes.")
    if not inflate.eof:
        raise UpstreamFailedError("Gemini's compressed answer is cut short.")
    return text
