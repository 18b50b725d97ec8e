"""One exchange with Gemini, relayed: what is sent is given, what comes back goes to the client as it comes.

    request ──> Gemini ──> head (hop-by-hop taken off) ──> pieces ──> client
                                                            └─ a copy to whoever reads the usage, after it was sent

No byte of an answer is changed, compressed or not. It knows no resource, no client and no envelope but the errors that
tell of the gateway's own credentials, which no client may be shown.
"""

import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import ClientResponse
from starlette.types import Send
from yarl import URL

from app.errors import GatewayError, UpstreamCredentialsError, UpstreamFailedError
from app.gemini.refusals import error_of, read_refusal
from app.gemini.upstream import Upstream
from app.native.heads import Headers, client_headers
from app.native.used import Read, RelayedUsage, UsageReader

MAX_ERROR_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 16 << 20
"""The largest answer that is read whole before it is passed on."""

Body = bytes | AsyncIterator[bytes | memoryview] | None


class Outgoing(NamedTuple):
    """What is asked of Gemini: method, URL (already encoded), headers and body, whose length the headers say."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: Body = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the usage of an answer is read: the surface's reader, and the name that stands before the usage."""

    read: Read
    keyword: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """An answer that was read whole: its status, the headers for the client, its body as it came."""

    status: int
    headers: Headers
    body: bytes
    is_gzip: bool

    @classmethod
    def of_json(cls, body: bytes) -> "Document":
        """Make an answer of the gateway's own, in JSON."""
        headers = [(b"content-type", b"application/json; charset=UTF-8"), (b"content-length", b"%d" % len(body))]
        return cls(200, headers, body, is_gzip=False)

    @property
    def text(self) -> bytes:
        """The body without its compression."""
        return gunzip(self.body) if self.is_gzip else self.body


class RelayResult:
    """The status and usage of a relayed answer, up to date while it passes."""

    def __init__(self) -> None:
        self.status = 0
        self.is_whole = False
        self._reader: UsageReader | None = None

    def read_by(self, reader: UsageReader | None) -> None:
        """Read the usage with `reader`."""
        self._reader = reader

    @property
    def said(self) -> RelayedUsage:
        """Return the usage that the answer has told so far."""
        return RelayedUsage() if self._reader is None else self._reader.said()

    @property
    def text_bytes(self) -> int:
        """Return the bytes that have come, decompressed."""
        return 0 if self._reader is None else self._reader.text_bytes


async def relay(
    upstream: Upstream,
    send: Send,
    outgoing: Outgoing,
    *,
    reading: Reading | None = None,
    result: RelayResult | None = None,
) -> None:
    """Ask Gemini and pass its answer on as it comes; `result` is kept up to date, so that it holds on every ending.

    Raises what `Upstream.request` raises, and UpstreamCredentialsError in place of an answer about the gateway's own.
    """
    result = RelayResult() if result is None else result
    async with _asked(upstream, outgoing) as answer:
        result.status = answer.status
        if answer.status in _SUSPECT:
            document = await _document(answer, MAX_ERROR_BYTES)
            _check_credentials(document)
            await send_document(send, document)
            result.is_whole = True
            return
        reader = None if reading is None else _reader(reading, answer)
        result.read_by(reader)
        content = answer.content
        piece = await content.readany()
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": client_headers(answer.headers.items())}
        )
        while True:
            is_last = content.at_eof()
            await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
            if reader is not None:
                reader.feed(piece)
            if is_last:
                break
            piece = await content.readany()
        result.is_whole = True


async def fetch(upstream: Upstream, outgoing: Outgoing, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> Document:
    """Ask Gemini for a whole answer. Raises as `relay` does, and UpstreamFailedError for one that is too large."""
    async with _asked(upstream, outgoing) as answer:
        document = await _document(answer, max_bytes)
        if document.status in _SUSPECT:
            _check_credentials(document)
        return document


async def send_document(send: Send, document: Document, body: bytes | None = None) -> None:
    """Send a whole answer; `body` stands in for its own, uncompressed."""
    headers = document.headers
    if body is not None:
        headers = [(n, v) for n, v in headers if n not in {b"content-length", b"content-encoding"}]
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": document.status, "headers": headers})
    await send({"type": "http.response.body", "body": document.body if body is None else body})


_SUSPECT = frozenset({400, 401, 403})
"""Statuses by which Gemini also speaks of the key: their bodies are read before they are passed on."""


def _asked(upstream: Upstream, outgoing: Outgoing) -> AbstractAsyncContextManager[ClientResponse]:
    return upstream.request(outgoing.method, outgoing.url, headers=outgoing.headers, body=outgoing.body)


def is_gzip(answer: ClientResponse) -> bool:
    """Whether an answer is compressed in the one way that is asked for."""
    return answer.headers.get("Content-Encoding", "").strip().lower() == "gzip"


def _reader(reading: Reading, answer: ClientResponse) -> UsageReader:
    is_stream = answer.headers.get("Content-Type", "").startswith("text/event-stream")
    return UsageReader(reading.read, reading.keyword, is_stream=is_stream, is_gzip=is_gzip(answer))


async def _document(answer: ClientResponse, max_bytes: int) -> Document:
    body = bytearray()
    content = answer.content
    while True:
        body += await content.readany()
        if len(body) > max_bytes:
            raise UpstreamFailedError(f"Gemini's answer is larger than {max_bytes} bytes.")
        if content.at_eof():
            return Document(answer.status, client_headers(answer.headers.items()), bytes(body), is_gzip(answer))


def gunzip(body: bytes, max_bytes: int = 4 * MAX_DOCUMENT_BYTES) -> bytes:
    """Uncompress a whole body. Raises UpstreamFailedError when it is not gzip, or becomes too large."""
    inflate = zlib.decompressobj(31)
    try:
        text = inflate.decompress(body, max_bytes)
    except zlib.error:
        raise UpstreamFailedError("Gemini's answer is not the gzip that it says it is.") from None
    if inflate.unconsumed_tail:
        raise UpstreamFailedError(f"Gemini's answer is larger than {max_bytes} bytes.")
    return text


def _check_credentials(document: Document) -> None:
    error: GatewayError = error_of(read_refusal(document.status, document.text))
    if isinstance(error, UpstreamCredentialsError) and not _names_a_resource(document.text):
        raise error


def _names_a_resource(body: bytes) -> bool:
    # A 403 about what a request names is the client's to read; one about the key is not.
    return b"CachedContent" in body or b"cachedContents/" in body or b"interactions/" in body
