"""One exchange with Gemini, relayed: the request is sent as given, and the answer is passed on as it arrives.

    request ──> Gemini ──> 400 and above ──(read whole, masked)───────────────────────────────> client
                      └──> others: head (allow list) ──> pieces (errors in them masked) ─────> client
                                                            └─ a copy to the reader of the usage

A small document is held to its end, since half a document is of no use, and the errors in it are masked. No other byte
of an answer is changed, compressed or not. If Gemini refuses the gateway's own key, the client gets an error of the
gateway that names neither key nor project. This module knows no resource and no client.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import orjson
from aiohttp import ClientResponse
from starlette.types import Send
from yarl import URL

from app.errors import UpstreamCredentialsError, UpstreamFailedError
from app.gemini.deadline import Deadline
from app.gemini.encoding import decoded
from app.gemini.refusals import error_of, read_refusal
from app.gemini.stream_masking import HELD_BYTES, Elements, EventFrames, StreamMask
from app.gemini.upstream import Upstream
from app.gemini.whole_answer import read_whole
from app.native.heads import SERVER_TIMEOUT, Headers, client_headers, client_time
from app.native.usage_chunk import UsageChunkFilter
from app.native.usage_reader import Reading, RelayedUsage, UsageReader

MAX_ERROR_BYTES = 1 << 19
# The largest answer that is read whole before it is passed on.
MAX_DOCUMENT_BYTES = 16 << 20
MAX_TEXT_BYTES = 4 * MAX_DOCUMENT_BYTES
# Of a relayed answer that was held, decompressed: what can be read without delaying other calls.
MAX_HELD_TEXT_BYTES = 1 << 20

Body = bytes | AsyncIterator[bytes | memoryview] | None


class Streaming(Enum):
    """The shape of an answer that comes piece by piece over a longer time."""

    NO = auto()
    EVENTS = auto()
    ARRAY = auto()
    BYTES = auto()


class Outgoing(NamedTuple):
    """A request to Gemini: method, URL (already encoded), headers with the body's length, and body.

    `streaming` is the shape in which the answer may stream; server-sent events are always read as a stream.
    """

    method: str
    url: URL
    headers: Mapping[str, str]
    body: Body = None
    streaming: Streaming = Streaming.NO

    @property
    def is_control(self) -> bool:
        """Whether this is a short request about a model or a stored object, answered without running a model."""
        return self.body is None and self.streaming is Streaming.NO


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer read whole: its status, the headers for the client, and its body, still in its Content-Encoding."""

    status: int
    headers: Headers
    body: bytes
    encoding: str = ""

    @classmethod
    def of_json(cls, body: bytes) -> "WholeAnswer":
        """Return a 200 answer of the gateway's own, in JSON."""
        headers = [(b"content-type", b"application/json; charset=UTF-8"), (b"content-length", b"%d" % len(body))]
        return cls(200, headers, body)

    @property
    def text(self) -> bytes:
        """Return the body decoded. Raises UpstreamFailedError if the body does not match its Content-Encoding."""
        return decoded(self.body, self.encoding, MAX_TEXT_BYTES)

    @property
    def members(self) -> Mapping[str, object]:
        """Return the members of the JSON object in the body. Raises UpstreamFailedError if the body is no object."""
        try:
            document = orjson.loads(self.text)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailedError("Gemini's answer is not valid JSON.") from error
        if not isinstance(document, dict):
            raise UpstreamFailedError("Gemini's answer is not a JSON object.")
        return document

    def with_text(self, text: bytes) -> "WholeAnswer":
        """Return the answer with another body, uncompressed."""
        headers = [(n, v) for n, v in self.headers if n not in {b"content-length", b"content-encoding"}]
        return WholeAnswer(self.status, [*headers, (b"content-length", b"%d" % len(text))], text)


class RelayResult:
    """The status and usage of a relayed answer, up to date while it passes.

    `status` is Gemini's, 0 before its head came. `tier` is the service tier that the answer names.
    """

    def __init__(self) -> None:
        self.status = 0
        self.is_whole = False
        self.tier: str | None = None
        self._reader: UsageReader | None = None

    def begin(self, answer: ClientResponse, reading: Reading | None) -> None:
        """Record an answer's status and service tier, and prepare to read its usage."""
        self.status = answer.status
        self.tier = answer.headers.get("x-gemini-service-tier", "").lower() or None
        self._reader = None if reading is None else _reader(reading, answer)

    def feed(self, piece: bytes) -> None:
        """Read a piece of the answer, which is about to be passed on."""
        if self._reader is not None:
            self._reader.feed(piece)

    @property
    def relayed(self) -> RelayedUsage:
        """Return the usage read so far."""
        return RelayedUsage() if self._reader is None else self._reader.relayed()


async def relay(
    upstream: Upstream,
    send: Send,
    outgoing: Outgoing,
    *,
    reading: Reading | None = None,
    result: RelayResult | None = None,
    hides_usage: bool = False,
) -> None:
    """Send a request to Gemini and pass the answer on as it arrives.

    With `hides_usage`, the client does not get the usage chunk of an OpenAI stream.
    `result` is kept up to date, and so is right even if the relay breaks off. Raises the errors of `Upstream.request`,
    UpstreamCredentialsError if Gemini refuses the gateway's key, and UpstreamFailedError for an error body above
    MAX_ERROR_BYTES and for a compressed stream.
    """
    result = RelayResult() if result is None else result
    deadline = _deadline(upstream, outgoing)
    async with _asked(upstream, outgoing, deadline) as answer:
        result.begin(answer, reading)
        if answer.status >= 400:
            await send_document(send, await _refusal(upstream, answer))
        else:
            is_stream = _is_events(answer) or outgoing.streaming is not Streaming.NO
            pieces = deadline.pieces(answer, is_stream=is_stream)
            mask = _mask(upstream, outgoing, answer)
            if mask is not None:
                usage_filter = UsageChunkFilter() if hides_usage and _is_events(answer) else None
                await _pass(send, answer, _masked(pieces, mask), result, usage_filter)
            elif outgoing.streaming is Streaming.BYTES:
                await _pass(send, answer, pieces, result)
            else:
                # A document in place of the events that were asked for may hold an error, too.
                await _pass_document(upstream, send, answer, pieces, result)
        result.is_whole = True


async def _pass(
    send: Send,
    answer: ClientResponse,
    pieces: AsyncIterator[bytes],
    result: RelayResult,
    usage_filter: UsageChunkFilter | None = None,
) -> None:
    head = {"type": "http.response.start", "status": answer.status, "headers": client_headers(answer.headers.items())}
    async for piece in pieces:
        # The head waits for the first piece: an answer that breaks before can still become an error.
        if head:
            await send(head)
            head = {}
        # Before the piece is sent: its usage counts even if the client leaves meanwhile.
        result.feed(piece)
        shown = piece if usage_filter is None else usage_filter.feed(piece)
        if shown:
            await send({"type": "http.response.body", "body": shown, "more_body": True})
    if head:
        await send(head)
    await send({"type": "http.response.body", "body": b"" if usage_filter is None else usage_filter.end()})


async def _pass_document(
    upstream: Upstream, send: Send, answer: ClientResponse, pieces: AsyncIterator[bytes], result: RelayResult
) -> None:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > HELD_BYTES:
            await _pass(send, answer, _after(bytes(held), pieces), result)
            return
    document = WholeAnswer(answer.status, client_headers(answer.headers.items()), bytes(held), _encoding(answer))
    # Before the document is sent: its usage counts even if the client leaves meanwhile.
    result.feed(document.body)
    await send_document(send, await _with_masked_errors(upstream, document, MAX_HELD_TEXT_BYTES))


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _with_masked_errors(upstream: Upstream, document: WholeAnswer, max_bytes: int) -> WholeAnswer:
    try:
        text = decoded(document.body, document.encoding, max_bytes)
    except UpstreamFailedError:
        # The reader of the answer reports the fault: the gateway if it reads the answer, else the client.
        return document
    masked = await upstream.masking.document(text)
    return document if masked == text else document.with_text(masked)


async def _masked(pieces: AsyncIterator[bytes], mask: StreamMask) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if passed := mask.feed(piece):
            yield passed
    if rest := mask.end():
        yield rest


async def fetch(upstream: Upstream, outgoing: Outgoing, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> WholeAnswer:
    """Return Gemini's whole answer. Raises the errors of `relay`, and UpstreamFailedError above `max_bytes`."""
    async with _asked(upstream, outgoing, _deadline(upstream, outgoing)) as answer:
        if answer.status >= 400:
            return await _refusal(upstream, answer)
        document = await _document(answer, max_bytes)
        return await _with_masked_errors(upstream, document, MAX_TEXT_BYTES)


async def send_document(send: Send, document: WholeAnswer) -> None:
    """Send a whole answer to the client."""
    await send({"type": "http.response.start", "status": document.status, "headers": document.headers})
    await send({"type": "http.response.body", "body": document.body})


def _deadline(upstream: Upstream, outgoing: Outgoing) -> Deadline:
    is_stream = outgoing.streaming is not Streaming.NO
    return Deadline(upstream.patience(client_time(outgoing.headers), is_stream=is_stream))


def _asked(upstream: Upstream, outgoing: Outgoing, deadline: Deadline) -> AbstractAsyncContextManager[ClientResponse]:
    headers = {name: value for name, value in outgoing.headers.items() if name != SERVER_TIMEOUT}
    return upstream.request(
        outgoing.method,
        outgoing.url,
        headers=headers,
        body=outgoing.body,
        deadline=deadline,
        is_control=outgoing.is_control,
    )


def _encoding(answer: ClientResponse) -> str:
    return answer.headers.get("Content-Encoding", "").strip().lower()


def _is_events(answer: ClientResponse) -> bool:
    return answer.headers.get("Content-Type", "").startswith("text/event-stream")


def _reader(reading: Reading, answer: ClientResponse) -> UsageReader:
    return UsageReader(reading, is_stream=_is_events(answer), is_gzip=_encoding(answer) == "gzip")


def _mask(upstream: Upstream, outgoing: Outgoing, answer: ClientResponse) -> StreamMask | None:
    if not (_is_events(answer) or outgoing.streaming is Streaming.ARRAY):
        return None
    if _encoding(answer) not in {"", "identity"}:
        # Streams are requested uncompressed, since an error in a compressed stream could not be masked.
        raise UpstreamFailedError("Gemini's stream has an encoding that was not requested.")
    return StreamMask(upstream.masking, EventFrames() if _is_events(answer) else Elements())


async def _document(answer: ClientResponse, max_bytes: int) -> WholeAnswer:
    body = await read_whole(answer, max_bytes)
    return WholeAnswer(answer.status, client_headers(answer.headers.items()), body, _encoding(answer))


async def _refusal(upstream: Upstream, answer: ClientResponse) -> WholeAnswer:
    document = await _document(answer, MAX_ERROR_BYTES)
    text = decoded(document.body, document.encoding, MAX_ERROR_BYTES)
    masked = await upstream.masking.error(text)
    refused = error_of(read_refusal(document.status, masked))
    if isinstance(refused, UpstreamCredentialsError):
        raise refused
    return document if masked == text else document.with_text(masked)
