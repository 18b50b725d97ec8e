"""A request's body on its way to Gemini: scanned for what it names, its references resolved, never changed otherwise.

    held      gathered within a bound, scanned whole: short ones, and those whose client has limits in tokens
    streamed  passed on while it is scanned; its last byte goes up when the whole of it has been

A name is put in place of another only where the client's differs from Gemini's. It knows no operation.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from starlette.types import Receive, Scope

from app.edge.body_timeouts import body_of, content_length
from app.errors import BodyTooLargeError, GatewayError, MalformedRequestError, UpstreamFailedError
from app.native.estimating import estimate_of, estimate_of_length
from app.native.metered import Estimated
from app.native.resolving import Resolver
from app.native.scanning import GENERATE, INTERACTIONS, OPENAI, Facts, Found, Policy, Segment
from app.native.services import NativeCall
from app.request.context import context_of

HELD_BYTES = 256 << 10
"""A body up to this long is held, whoever sends it: streaming it would cost more."""
COUNTED_BYTES = 64 << 10
"""What is held beyond this counts against MAX_BUFFERED_BYTES."""
SLICE_BYTES = 256 << 10
"""A long piece is scanned in slices, with the loop's other work between them."""


class Policies:
    """How bodies are read, by the surface that they come by."""

    GENERATE = GENERATE
    INTERACTIONS = INTERACTIONS
    OPENAI = OPENAI


@dataclass(slots=True)
class Body:
    """A body that can be sent. `model` is the one that its JSON names, as Gemini calls it, None for none."""

    content: bytes | AsyncIterator[bytes]
    length: int
    estimate: Estimated
    facts: Facts
    model: str | None = None
    stream: "_Stream | None" = field(default=None, repr=False)

    @property
    def estimate_of_input(self) -> Estimated:
        """What a call may use that generates nothing."""
        return Estimated(self.estimate.input_tokens, 0, self.estimate.tier)

    def checked(self) -> AbstractAsyncContextManager[None]:
        """Run a block that sends the body; what was found wrong with it while it was sent is raised in its place."""
        return _WAS_CHECKED if self.stream is None else self.stream.checked()


_WAS_CHECKED = nullcontext()


def take(scope: Scope, receive: Receive, call: NativeCall, policy: Policy, *, may_stream: bool = False) -> "Taking":
    """Run an `async with` block with a request's body; what is held of it is given back at the end.

    Raises BodyTooLargeError, MalformedRequestError, BusyError, what `body_of` raises, and what Gemini says of
    resources that do not exist for references that are not the client's.
    """
    return Taking(scope, receive, call, policy, may_stream=may_stream)


class Taking:
    """What `take` gives. A plain class, since every call goes through it and a generator would cost more."""

    __slots__ = ("_call", "_holding", "_may_stream", "_policy", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive, call: NativeCall, policy: Policy, *, may_stream: bool) -> None:
        self._scope = scope
        self._receive = receive
        self._call = call
        self._policy = policy
        self._may_stream = may_stream
        self._holding: _Holding | None = None

    async def __aenter__(self) -> Body:
        scope, call = self._scope, self._call
        settings = call.services.settings
        most = settings.max_native_body_bytes
        length = content_length(scope)
        if length is not None and length > most:
            raise _too_large(most)
        pieces = body_of(scope, self._receive, settings)
        resolver = Resolver(call, self._policy, context_of(scope).base_url)
        if self._may_stream and length is not None and length > HELD_BYTES and not _is_budgeted(call):
            stream = _Stream(pieces, resolver, length)
            return Body(stream.content(), length, estimate_of_length(length), stream.facts, stream=stream)
        self._holding = holding = _Holding(call, most)
        try:
            # The bytes as they came are not kept beside those that go on.
            content = await _scanned(await holding.gather(pieces, length), resolver)
            if resolver.line_files:
                await resolver.check_lines()
        except BaseException:
            holding.release()
            raise
        estimate = estimate_of(resolver.facts, [*resolver.files.values()], resolver.cached_tokens)
        return Body(content, len(content), estimate, resolver.facts, resolver.model)

    async def __aexit__(self, *_: object) -> None:
        if self._holding is not None:
            self._holding.release()


def _is_budgeted(call: NativeCall) -> bool:
    return call.services.metering.admission.has_budgets(call.client)


def _too_large(most: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"Request payload size exceeds the limit: {most} bytes. Upload the media as files first.")


class _Holding:
    """Gathers a body, and counts what is held."""

    def __init__(self, call: NativeCall, most: int) -> None:
        self._held_bytes = call.services.held_bytes
        self._most = most
        self._counted = 0

    async def gather(self, pieces: AsyncIterator[bytes], length: int | None) -> bytes:
        if length is not None and length > COUNTED_BYTES:
            self._count(length)
        gathered: list[bytes] = []
        size = 0
        async for piece in pieces:
            size += len(piece)
            if size > self._most:
                raise _too_large(self._most)
            if length is None and size > COUNTED_BYTES:
                self._count(size - self._counted)
            gathered.append(piece)
        return gathered[0] if len(gathered) == 1 else b"".join(gathered)

    def _count(self, size_bytes: int) -> None:
        self._held_bytes.reserve(size_bytes)
        self._counted += size_bytes

    def release(self) -> None:
        self._held_bytes.release(self._counted)
        self._counted = 0


async def _scanned(raw: bytes, resolver: Resolver) -> bytes:
    if not raw:
        return raw
    scanner = resolver.scanner
    if len(raw) <= SLICE_BYTES:
        segments = scanner.feed(raw)
    else:
        segments = []
        for start in range(0, len(raw), SLICE_BYTES):
            segments += scanner.feed(raw[start : start + SLICE_BYTES])
            await asyncio.sleep(0)
    segments += scanner.end()
    found = [segment for segment in segments if isinstance(segment, Found)]
    if not found:
        return raw
    resolved = await resolver.resolve(found)
    if all(text == each.raw for each, text in zip(found, resolved, strict=True)):
        return raw
    replaced = iter(resolved)
    return b"".join(next(replaced) if isinstance(segment, Found) else segment for segment in segments)


class _Stream:
    """A long body that is passed on while it is scanned."""

    def __init__(self, pieces: AsyncIterator[bytes], resolver: Resolver, length: int) -> None:
        self._pieces = pieces
        self._resolver = resolver
        self._length = length
        self.failure: GatewayError | None = None

    @property
    def facts(self) -> Facts:
        """What has been seen of the body so far."""
        return self._resolver.facts

    @asynccontextmanager
    async def checked(self) -> AsyncIterator[None]:
        """Run a block that sends the body, as `Body.checked` says."""
        try:
            yield
        except UpstreamFailedError:
            # The connection was given up because the body was.
            if self.failure is not None:
                raise self.failure from None
            raise

    async def content(self) -> AsyncIterator[bytes]:
        """Give the body's pieces, the last of them when everything has been scanned."""
        try:
            held = b""
            async for piece in self._pieces:
                for start in range(0, len(piece), SLICE_BYTES):
                    text = await self._resolved(self._resolver.scanner.feed(piece[start : start + SLICE_BYTES]))
                    if text:
                        if held:
                            yield held
                        held = text
            held += await self._resolved(self._resolver.scanner.end())
            yield held
        except GatewayError as error:
            self.failure = error
            raise

    async def _resolved(self, segments: list[Segment]) -> bytes:
        found = [segment for segment in segments if isinstance(segment, Found)]
        if not found:
            return segments[0] if len(segments) == 1 and isinstance(segments[0], bytes) else _joined(segments, [])
        resolved = [_fitted(each, text) for each, text in zip(found, await self._resolver.resolve(found), strict=True)]
        return _joined(segments, resolved)


def _joined(segments: list[Segment], resolved: list[bytes]) -> bytes:
    replaced = iter(resolved)
    return b"".join(next(replaced) if isinstance(segment, Found) else segment for segment in segments)


def _fitted(found: Found, text: bytes) -> bytes:
    # Gemini has been told the body's length: what is shorter is followed by white space, which JSON allows.
    if len(text) > len(found.raw):
        raise MalformedRequestError(
            "In a body of this length a file that has a name of yours must be named by its uri, as its upload answered "
            "it, and a model as Gemini calls it."
        )
    return text.ljust(len(found.raw))
