"""The requests that are sent, as bytes made beforehand; a large file's bytes are made while it is sent."""

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
import pybase64

BOUNDARY = b"----------------benchmark0a1b2c3d4e5f"
PROMPT = "What is in this picture? Answer in one sentence."
PIECE = os.urandom(262_144)
"""What a large file is made of, again and again."""
GATEWAY_PATH = "/api/v1/generate"
SERVICE_PATH = "/generate"


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a form: its type, its first bytes, and its whole size in bytes."""

    filename: str
    mime_type: str
    head: bytes
    size_bytes: int

    def data(self) -> Iterator[bytes]:
        """Yield the file's bytes in pieces."""
        yield self.head
        left = self.size_bytes - len(self.head)
        while left > 0:
            yield PIECE if left >= len(PIECE) else PIECE[:left]
            left -= len(PIECE)


def picture(side: int) -> Media:
    """Draw a square PNG of noise, about 3 bytes a pixel."""
    rows = b"".join(b"\0" + PIECE[row * 3 * side : (row + 1) * 3 * side] for row in range(side))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return Media("noise.png", "image/png", png, len(png))


def video(size_bytes: int, *, number: int = 0) -> Media:
    """Return bytes that look like an MP4; `number` makes them differ from others of the same size."""
    brand = b"mp42" + struct.pack(">I", number) + b"mp42isom"
    ftyp = struct.pack(">I", 8 + len(brand)) + b"ftyp" + brand
    mdat = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", size_bytes - len(ftyp))
    return Media("talk.mp4", "video/mp4", ftyp + mdat, size_bytes)


@dataclass(frozen=True, slots=True)
class Request:
    """A request: everything before the media, the media, everything after."""

    before: bytes
    media: Media | None
    after: bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in pieces, for a file that is too large to hold."""
        yield self.before
        if self.media is not None:
            yield from self.media.data()
        yield self.after

    def whole(self) -> bytes:
        """Return the bytes in one piece."""
        return b"".join(self.pieces())


def _head(path: str, kind: bytes, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: bench\r\n"
        f"Content-Type: {kind.decode()}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def form(path: str, media: Media | None, fields: Mapping[str, str] | None = None) -> Request:
    """Build a form with the prompt, further fields, and a file at its end."""
    before = b""
    for name, value in {"prompt": PROMPT, **(fields or {})}.items():
        before += b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
            BOUNDARY,
            name.encode(),
            value.encode(),
        )
    after = b"--%b--\r\n" % BOUNDARY
    if media is not None:
        disposition = f'form-data; name="file"; filename="{media.filename}"'
        before += b"--%b\r\nContent-Disposition: %b\r\nContent-Type: %b\r\n\r\n" % (
            BOUNDARY,
            disposition.encode(),
            media.mime_type.encode(),
        )
        after = b"\r\n" + after
    length = len(before) + (media.size_bytes if media else 0) + len(after)
    return Request(_head(path, b"multipart/form-data; boundary=" + BOUNDARY, length) + before, media, after)


def native(action: str, media: Media | None, *, model: str = "gemini-3.8-flash") -> Request:
    """Build the same as Gemini itself takes it, JSON with the media in base64."""
    parts: list[dict[str, object]] = [{"text": PROMPT}]
    if media is not None:
        data = pybase64.b64encode(b"".join(media.data())).decode()
        parts.append({"inlineData": {"mimeType": media.mime_type, "data": data}})
    body = orjson.dumps({"contents": [{"role": "user", "parts": parts}]})
    path = f"/v1beta/models/{model}:{action}"
    return Request(_head(path, b"application/json", len(body)) + body, None, b"")


def with_header(request: bytes, line: str) -> bytes:
    """Put one more header line into a request."""
    return request.replace(b"User-Agent: bench\r\n", b"User-Agent: bench\r\n" + line.encode() + b"\r\n", 1)
