"""A request's JSON body on its way to Gemini: scanned while it arrives, its references resolved, otherwise unchanged.

    held      gathered within a bound, sent once scanned whole: short bodies, and all bodies of clients with budgets
    streamed  sent while it is scanned; the last byte is sent once the whole body is scanned

A string is replaced only if the client's name for an object differs from Gemini's. This module knows no operation.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from starlette.types import Receive, Scope

from app.accounting.estimate import Estimate
from app.edge.body_timeouts import body_of, content_length
from app.errors import BodyTooLargeError, GatewayError, MalformedRequestError, UpstreamFailedError
from app.native.body_tokens import estimate_of, estimate_of_length
from app.native.documents import ScannedDocument, spliced
from app.native.scanning import BodyFacts, Found, Policy
from app.native.services import NativeCall
from app.request.context import context_of
from app.request.json_content import check_json_content

HELD_BYTES = 256 << 10
"""A body up to this length is held for every client: streaming would cost more."""
COUNTED_BYTES = 64 << 10
"""Held bytes beyond this count against MAX_BUFFERED_BYTES."""


@dataclass(slots=True)
class Body:
    """A body ready to send. `model` is the model named in its JSON, by Gemini's name, or None.

    `adds_usage_option` says that the body asks for a stream's usage, although the client did not.
    """

    content: bytes | AsyncIterator[bytes]
    length: int
    estimate: Estimate
    facts: BodyFacts
    model: str | None = None
    adds_usage_option: bool = False
    stream: "_Stream | None" = field(default=None, repr=False)

    @property
    def latest_estimate(self) -> Estimate:
        """Return the estimate from the bytes scanned so far; a streamed body's `estimate` is from its length alone."""
        return self.estimate if self.stream is None else self.stream.estimate

    def checked(self) -> AbstractAsyncContextManager[None]:
        """Run a block that sends the body. A fault found in the body meanwhile replaces the block's own error."""
        return _WAS_CHECKED if self.stream is None else self.stream.checked()


_WAS_CHECKED = nullcontext()


# A class, since a generator would cost every call more; in lower case, since it is called like a function.
class take:  # noqa: N801
    """Run an `async with` block with a request's body, and release its held bytes at the end.

    `path_model` is the model in the path, which the JSON may only repeat. Raises UnsupportedMediaTypeError,
    BodyTooLargeError, MalformedRequestError, BusyError and the errors of `body_of`; for a reference to an object that
    is not the client's, raises Gemini's error for an object that does not exist.
    """

    __slots__ = ("_call", "_counted", "_document", "_may_stream", "_receive", "_scope")

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        call: NativeCall,
        policy: Policy,
        *,
        path_model: str | None = None,
        may_stream: bool = False,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._call = call
        self._document = ScannedDocument(call, policy, context_of(scope).base_url, path_model=path_model)
        self._may_stream = may_stream
        self._counted = 0

    async def __aenter__(self) -> Body:
        call, document = self._call, self._document
        check_json_content(self._scope, has_credential=call.has_credential)
        settings = call.services.settings
        length = content_length(self._scope)
        if length is not None and length > settings.max_native_body_bytes:
            raise _too_large(settings.max_native_body_bytes)
        pieces = body_of(self._scope, self._receive, settings)
        if self._may_stream and length is not None and length > HELD_BYTES and not _is_budgeted(call):
            stream = _Stream(pieces, document)
            return Body(stream.content(), length, estimate_of_length(length), document.facts, stream=stream)
        try:
            content = await self._gathered(pieces, length)
        except BaseException:
            self._release()
            raise
        estimate = _estimate_of(document)
        return Body(content, len(content), estimate, document.facts, document.model, document.adds_usage_option)

    async def __aexit__(self, *_: object) -> None:
        self._release()

    async def _gathered(self, pieces: AsyncIterator[bytes], length: int | None) -> bytes:
        most = self._call.services.settings.max_native_body_bytes
        if length is not None and length > COUNTED_BYTES:
            self._count(length)
        gathered: list[bytes] = []
        found: list[Found] = []
        size = 0
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise _too_large(most)
            if length is None and size > COUNTED_BYTES:
                self._count(size - self._counted)
            gathered.append(piece)
            found += await self._document.scan(piece)
        if not gathered:
            return b""
        found += self._document.end()
        return await self._document.rewritten(gathered[0] if len(gathered) == 1 else b"".join(gathered), found)

    def _count(self, size_bytes: int) -> None:
        self._call.services.held_bytes.reserve(size_bytes)
        self._counted += size_bytes

    def _release(self) -> None:
        self._call.services.held_bytes.release(self._counted)
        self._counted = 0


def _estimate_of(document: ScannedDocument) -> Estimate:
    resolver = document.resolver
    return estimate_of(document.facts, [*resolver.files.values()], resolver.cached_tokens)


def _is_budgeted(call: NativeCall) -> bool:
    return call.services.metering.admission.has_budgets(call.client)


def _too_large(most: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"Request payload size exceeds the limit: {most} bytes. Upload the media as files first.")


class _Stream:
    """A long body that is sent to Gemini while it is scanned."""

    def __init__(self, pieces: AsyncIterator[bytes], document: ScannedDocument) -> None:
        self._pieces = pieces
        self._document = document
        self._sent = 0
        self._tail = b""
        self.failure: GatewayError | None = None

    @property
    def estimate(self) -> Estimate:
        """Return the estimate by the bytes that have been scanned so far."""
        return _estimate_of(self._document)

    @asynccontextmanager
    async def checked(self) -> AsyncIterator[None]:
        """Run a block that sends the body; see `Body.checked`."""
        try:
            yield
        except UpstreamFailedError:
            # A body that breaks off breaks the connection too; only the body's fault is of use to the client.
            if self.failure is not None:
                raise self.failure from None
            raise

    async def content(self) -> AsyncIterator[bytes]:
        """Return the body's pieces; the last piece follows once the whole body is scanned."""
        try:
            held = b""
            async for piece in self._pieces:
                found = await self._document.scan(piece)
                self._tail += piece
                text = await self._judged(found)
                if text:
                    if held:
                        yield held
                    held = text
            yield held + await self._judged(self._document.end())
        except GatewayError as error:
            self.failure = error
            raise

    async def _judged(self, found: list[Found]) -> bytes:
        """Return the bytes cleared since the last call, with their references resolved."""
        length = self._document.position - self._sent
        text, self._tail = self._tail[:length], self._tail[length:]
        if found:
            replaced = await self._document.resolver.resolve(found)
            fitted = [None if new is None else _fitted(each, new) for each, new in zip(found, replaced, strict=True)]
            text = spliced(text, found, fitted, at=self._sent)
        self._sent += length
        return text


def _fitted(found: Found, text: bytes) -> bytes:
    # Gemini already knows the body's length, so shorter text is padded with white space, which JSON allows.
    room = found.end - found.start
    if len(text) > room:
        raise MalformedRequestError(
            "In a body of this length, name a file by the uri in the answer to its upload, and a model by Gemini's "
            "own name."
        )
    return text.ljust(room)
