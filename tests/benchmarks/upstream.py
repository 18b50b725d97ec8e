"""A stand-in for Gemini that costs as little CPU as Python allows: prebuilt answers, bytes read and dropped.

It is a process of its own: `python -m tests.benchmarks.upstream --port N [--read-rate BYTES_A_SECOND]`. A model named
`burst-N` streams N chunks at once, `paced-N` one each PACE_S. Unlike the emulator it looks at nothing that it is sent.
"""

import argparse
import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import cast

import httptools
import orjson
import uvloop

WORD = "ipsum "
"""The text of each streamed chunk."""
PACE_S = 0.01
BURST_S = 0.02
"""How much reading time a link may make up for at once."""
LEAST_PAUSE_S = 0.005
GRANULARITY = 262_144
KEPT_HEADERS = frozenset({b"host", b"x-goog-upload-command"})
MODEL = "gemini-3.8-flash"
USAGE = {
    "promptTokenCount": 264,
    "candidatesTokenCount": 12,
    "totalTokenCount": 276,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "IMAGE", "tokenCount": 258}],
}


class Link:
    """The rate at which all connections together may read; None sets no limit."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._rate = bytes_per_s
        self._free_at = 0.0

    def pause_after(self, size_bytes: int, now: float) -> float:
        """Count bytes that were read; gives for how many seconds nothing more may be."""
        if self._rate is None:
            return 0.0
        self._free_at = max(self._free_at, now - BURST_S) + size_bytes / self._rate
        return self._free_at - now


@dataclass(slots=True)
class Stored:
    """A file, or the session in which it arrives."""

    name: str
    mime_type: str
    size_bytes: int = 0

    def resource(self) -> dict[str, object]:
        now = datetime.now(UTC)
        return {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(self.size_bytes),
            "createTime": now.isoformat(),
            "updateTime": now.isoformat(),
            "expirationTime": (now + timedelta(hours=48)).isoformat(),
            "uri": f"https://generativelanguage.googleapis.com/v1beta/{self.name}",
            "state": "ACTIVE",
            "source": "UPLOADED",
        }


def _response(text: str, *, is_last: bool) -> bytes:
    candidate: dict[str, object] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if is_last:
        candidate["finishReason"] = "STOP"
    return orjson.dumps(
        {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": MODEL, "responseId": "xYzAbC0123456789"}
    )


def _framed(body: bytes) -> bytes:
    frame = b"data: " + body + b"\r\n\r\n"
    return b"%x\r\n%b\r\n" % (len(frame), frame)


class Gemini:
    """The state kept between requests, and the prebuilt answers."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._ids = itertools.count()
        self._sessions: dict[bytes, Stored] = {}
        self._files: dict[bytes, Stored] = {}
        self._answer = _response("A small picture of noise.", is_last=True)
        self._chunk = _framed(_response(WORD, is_last=False))
        self._last_chunk = _framed(_response(WORD, is_last=True)) + b"0\r\n\r\n"
        self._date = (0.0, b"")

    def head(self, now: float, *, status: bytes = b"200 OK", kind: bytes = b"application/json; charset=UTF-8") -> bytes:
        """Return status line, type and date."""
        if now - self._date[0] > 1:
            self._date = (now, formatdate(usegmt=True).encode())
        return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nDate: %b\r\n" % (status, kind, self._date[1])

    def generated(self, now: float) -> bytes:
        """Answer generateContent."""
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.head(now), len(self._answer), self._answer)

    def streamed(self, now: float, chunks: int) -> list[bytes]:
        """Answer streamGenerateContent, in the pieces that may go out one by one."""
        first = self.head(now, kind=b"text/event-stream") + b"Transfer-Encoding: chunked\r\n\r\n"
        pieces = [self._chunk] * (chunks - 1) + [self._last_chunk]
        return [first + pieces[0], *pieces[1:]]

    def upload(self, command: bytes, session_id: bytes, host: bytes, body: bytes, received: int) -> tuple[bytes, bytes]:
        """Carry out an upload's command; gives the headers that answer it, and a body."""
        if command == b"start":
            return self._started(host, body), b""
        stored = self._sessions[session_id]
        if b"upload" in command:
            stored.size_bytes += received
        if b"finalize" in command:
            self._files[stored.name.encode()] = self._sessions.pop(session_id)
            return b"X-Goog-Upload-Status: final\r\n", orjson.dumps({"file": stored.resource()})
        if command == b"cancel":
            del self._sessions[session_id]
            return b"X-Goog-Upload-Status: cancelled\r\n", b""
        return b"X-Goog-Upload-Status: active\r\nX-Goog-Upload-Size-Received: %d\r\n" % stored.size_bytes, b""

    def _started(self, host: bytes, body: bytes) -> bytes:
        number = b"%d" % next(self._ids)
        file = orjson.loads(body or b"{}").get("file", {})
        mime_type = file.get("mimeType") or file.get("mime_type") or "video/mp4"
        self._sessions[number] = Stored(file.get("name") or f"files/upload{number.decode()}", mime_type)
        url = b"http://%b/upload/v1beta/files?upload_id=%b&upload_protocol=resumable" % (host, number)
        return b"X-Goog-Upload-Status: active\r\nX-Goog-Upload-Chunk-Granularity: %d\r\nX-Goog-Upload-URL: %b\r\n" % (
            GRANULARITY,
            url,
        )

    def file(self, name: bytes, *, is_delete: bool) -> bytes | None:
        """Answer get or delete of a file; None when there is none."""
        stored = self._files.pop(name, None) if is_delete else self._files.get(name)
        if stored is None:
            return None
        return b"{}" if is_delete else orjson.dumps(stored.resource())


class GeminiConnection(asyncio.Protocol):
    """One connection: parses and drops the bytes it reads, and answers each complete request."""

    def __init__(self, gemini: Gemini) -> None:
        self._gemini = gemini
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        pause_s = self._gemini.link.pause_after(len(data), self._loop.time())
        if pause_s > LEAST_PAUSE_S:
            self._transport.pause_reading()
            self._loop.call_later(pause_s, self._resume)
        self._parser.feed_data(data)

    def _resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def on_message_begin(self) -> None:
        self._url = self._body = b""
        self._headers = {}
        self._received = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in KEPT_HEADERS:
            self._headers[lower] = value

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._headers.get(b"x-goog-upload-command") == b"start":
            self._body += body

    def on_message_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        if path.endswith(b":generateContent"):
            self._transport.write(self._gemini.generated(self._loop.time()))
        elif path.endswith(b":streamGenerateContent"):
            self._stream(path)
        elif path.startswith(b"/upload/"):
            self._upload(query)
        elif path.endswith(b":countTokens"):
            self._answer(b"", b'{"totalTokens":264}')
        else:
            self._file(path)

    def _answer(self, headers: bytes, body: bytes, status: bytes = b"200 OK") -> None:
        head = self._gemini.head(self._loop.time(), status=status)
        self._transport.write(b"%b%bContent-Length: %d\r\n\r\n%b" % (head, headers, len(body), body))

    def _stream(self, path: bytes) -> None:
        manner, _, count = path.rpartition(b"/")[2].partition(b":")[0].partition(b"-")
        pieces = self._gemini.streamed(self._loop.time(), int(count))
        if manner == b"burst":
            self._transport.writelines(pieces)
        else:
            self._write_next(iter(pieces))

    def _write_next(self, pieces: Iterator[bytes]) -> None:
        # One timer at a time: several may fire in another order than they were set.
        if (piece := next(pieces, None)) is not None and not self._transport.is_closing():
            self._transport.write(piece)
            self._loop.call_later(PACE_S, self._write_next, pieces)

    def _upload(self, query: bytes) -> None:
        command = self._headers.get(b"x-goog-upload-command", b"")
        session_id = query.partition(b"upload_id=")[2].partition(b"&")[0]
        host = self._headers.get(b"host", b"")
        self._answer(*self._gemini.upload(command, session_id, host, self._body, self._received))

    def _file(self, path: bytes) -> None:
        name = path.rpartition(b"/files/")[2]
        body = self._gemini.file(b"files/" + name, is_delete=self._parser.get_method() == b"DELETE")
        if body is None:
            missing = b'{"error":{"code":404,"message":"Not found.","status":"NOT_FOUND"}}'
            self._answer(b"", missing, b"404 Not Found")
        else:
            self._answer(b"", body)


async def _serve(port: int, read_rate: float | None) -> None:
    gemini = Gemini(Link(read_rate))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: GeminiConnection(gemini), "127.0.0.1", port, backlog=2_048)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--read-rate", type=float, help="bytes a second that all connections together may send")
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.port, arguments.read_rate))


if __name__ == "__main__":
    main()
