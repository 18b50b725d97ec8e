"""The client's messages of a Live session: judged, scanned, and rewritten as Gemini is to read them.

    message ──> kind ──> credential ──> scan ──> references resolved

Realtime input, which a microphone sends many times a second, is judged every 10 s by the session instead.
"""

import asyncio
import re
from time import perf_counter

from app.clients.authenticator import require_model
from app.errors import BodyTooLargeError, IssuerUnavailableError, MalformedRequestError, StoreUnavailableError
from app.native.live.client import LiveMessage
from app.native.resolving import Resolver
from app.native.scanning import LIVE, Found, JsonScanner, Segment
from app.native.services import NativeCall
from app.request.context import RequestContext

MAX_WORDS_BYTES = 1 << 20
"""The largest message without its media: many times the text that a Live model reads at once."""
PIECE_BYTES = 4 << 10
SLICE_S = 0.005
_FIRST_NAME = re.compile(rb'[ \t\n\r]*\{[ \t\n\r]*"([A-Za-z_]{1,40})"')
_REALTIME = b"realtimeinput"
_SETUP = b"setup"


class LiveRequests:
    """Reads the messages of one session. `context` is that of its handshake."""

    def __init__(self, call: NativeCall, context: RequestContext) -> None:
        if context.client_again is None:
            raise LookupError("nothing judges the credential of this session again")
        self._call = call
        self._client_again = context.client_again
        self._base_url = context.base_url
        self._model: str | None = None

    @property
    def model(self) -> str:
        """Return the model of the session, by Gemini's name."""
        return self._model or self._call.services.models.default

    async def setup(self, message: LiveMessage) -> LiveMessage:
        """Return the setup message as Gemini is to read it. Raises as `read`, and for any other message."""
        if kind_of(message.data) != _SETUP:
            raise MalformedRequestError("The first message of a Live session is its setup.")
        return await self._scanned(message)

    async def read(self, message: LiveMessage) -> LiveMessage:
        """Return a later message as Gemini is to read it.

        Raises what judging the credential, scanning and resolving raise.
        """
        kind = kind_of(message.data)
        if kind == _SETUP:
            raise MalformedRequestError("A Live session has one setup, which is its first message.")
        if kind != _REALTIME:
            await self.judge()
        return await self._scanned(message)

    async def judge(self) -> None:
        """Judge the credential once more; raises UnauthenticatedError, ForbiddenError, and if it cannot be judged."""
        client = await self._client_again()
        require_model(client, self.model)
        # The client's limits may have changed too.
        self._call.usage.client = client

    async def judge_quietly(self) -> None:
        """Judge the credential as `judge`; a store or provider that is away for a moment ends no session."""
        try:
            await self.judge()
        except (StoreUnavailableError, IssuerUnavailableError):
            return

    async def _scanned(self, message: LiveMessage) -> LiveMessage:
        resolver = Resolver(self._call, LIVE, self._base_url)
        segments = await scanned(resolver.scanner, message.data)
        if len(message.data) - sum(resolver.facts.media_bytes.values()) > MAX_WORDS_BYTES:
            raise BodyTooLargeError(f"A Live message has at most {MAX_WORDS_BYTES} bytes besides its media.")
        found = [segment for segment in segments if isinstance(segment, Found)]
        if not found:
            return message
        replaced = iter(await resolver.resolve(found))
        self._model = self._model or resolver.model
        data = b"".join(next(replaced) if isinstance(segment, Found) else segment for segment in segments)
        return LiveMessage(data, message.is_text)


async def scanned(scanner: JsonScanner, data: bytes) -> list[Segment]:
    """Scan a message in slices, so that other work runs between them."""
    segments: list[Segment] = []
    until = perf_counter() + SLICE_S
    for start in range(0, len(data), PIECE_BYTES):
        segments += scanner.feed(data[start : start + PIECE_BYTES])
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + SLICE_S
    return segments + scanner.end()


def kind_of(data: bytes) -> bytes:
    """Return the folded name of a message's first member, or no name if it is written in an unusual way."""
    match = _FIRST_NAME.match(data)
    return match[1].replace(b"_", b"").lower() if match is not None else b""
