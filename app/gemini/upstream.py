"""Requests to Gemini: one session, the key, and the pool's limit.

Every call of the process goes by here: relayed calls, the gateway's own, uploads, Live, and google-genai's control
calls (`control`). No request follows a redirect or leaves the configured origins (`session`). This module knows no
envelope.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from types import TracebackType

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from app.errors import UpstreamCredentialsError, UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError
from app.gemini.clock import GeminiClock
from app.gemini.credentials import ApiKey
from app.gemini.masking import Masking
from app.gemini.refusals import KEY_REFUSED
from app.gemini.session import open_session
from app.settings import Settings

API_VERSION = "v1beta"
HEARTBEAT_S = 30.0
# Connections of the pool that large transfers leave to the control calls.
CONTROL_SHARE = 4
# URLs of paths up to this length are cached: most calls name the same few.
LONGEST_CACHED = 200
# aiohttp copies a body of bytes into the transport's buffer whole, so a longer one is sent slice by slice.
SLICE_BYTES = 1 << 16

Body = bytes | AsyncIterator[bytes | memoryview] | None


class Upstream:
    """Requests to Gemini within the pool's limit, and what its answers show of Gemini's state."""

    def __init__(self, session: aiohttp.ClientSession, key: ApiKey, settings: Settings, clock: GeminiClock) -> None:
        self._session = session
        self.masking = Masking(key.secrets)
        self._slots = asyncio.Semaphore(max(1, settings.upstream_connections - CONTROL_SHARE))
        self._control_slots = asyncio.Semaphore(CONTROL_SHARE)
        self.clock = clock
        self.base = URL(settings.gemini_base_url, encoded=True)
        self._base = str(self.base)
        self.is_emulated = False
        self.is_reached: bool | None = None

    def url(self, path: str) -> URL:
        """Return the URL of an API path, which begins with a slash and is already encoded."""
        return _url(self._base, path) if len(path) <= LONGEST_CACHED else URL(self._base + path, encoded=True)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Note from an answer's head that Gemini is there, its time, and whether it is the emulator."""
        self.is_emulated = "X-Gateway-Emulator" in headers
        self.is_reached = True
        self.clock.observe(headers.get("Date"))

    def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: Body = None,
        timeout_s: float | None = None,
        is_control: bool = False,
    ) -> "Exchange":
        """Run an `async with` block with the answer to one request, whatever its status but a redirect.

        `headers` say the length of a body that comes in pieces. `timeout_s` bounds the whole exchange; without it the
        caller's own deadline holds. Control calls have connections of their own. Raises UpstreamUnavailableError if
        Gemini cannot be reached, UpstreamTimeoutError, and UpstreamFailedError for a broken connection, a redirect and
        a foreign origin, also in the block.
        """
        sent = CIMultiDict(headers)
        sent.setdefault("Accept-Encoding", "identity")
        if isinstance(body, bytes) and len(body) > SLICE_BYTES:
            sent.setdefault("Content-Length", str(len(body)))
            body = slices(memoryview(body))
        ask = partial(self._session.request, method, url, headers=sent, data=body, allow_redirects=False)
        return Exchange(self, self._control_slots if is_control else self._slots, ask, timeout_s)

    @asynccontextmanager
    async def websocket(self, path: str, *, max_message_bytes: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket at an API path.

        Raises UpstreamUnavailableError if Gemini cannot be reached, UpstreamCredentialsError if it refuses the key,
        UpstreamFailedError for any other refusal and a broken connection.
        """
        opening = self._session.ws_connect(
            self.url(path), max_msg_size=max_message_bytes, autoping=True, compress=0, heartbeat=HEARTBEAT_S
        )
        try:
            async with self._slots, opening as socket:
                self.is_reached = True
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            if error.status in {401, 403}:
                raise UpstreamCredentialsError(KEY_REFUSED) from error
            raise UpstreamFailedError(f"Gemini refused the connection with status {error.status}.") from error
        except aiohttp.ClientConnectorError as error:
            self.is_reached = False
            raise UpstreamUnavailableError("Gemini could not be reached.", retry_after_s=2) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamFailedError("The connection to Gemini broke.") from error


class Exchange:
    """The block that `Upstream.request` runs."""

    __slots__ = ("_answer", "_ask", "_deadline", "_slots", "_upstream")

    def __init__(
        self,
        upstream: Upstream,
        slots: asyncio.Semaphore,
        ask: Callable[[], Awaitable[aiohttp.ClientResponse]],
        timeout_s: float | None,
    ) -> None:
        self._upstream = upstream
        self._slots = slots
        self._ask = ask
        self._deadline = None if timeout_s is None else asyncio.timeout(timeout_s)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        if self._deadline is not None:
            await self._deadline.__aenter__()
        try:
            await self._slots.acquire()
            try:
                answer = self._answer = await self._ask()
            except BaseException:
                self._slots.release()
                raise
        except BaseException as error:
            await self._leave(error)
            raise
        self._upstream.observe(answer.headers)
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                self._answer.release()
                await self._answer.wait_for_close()
            finally:
                self._slots.release()
        except BaseException as broken:
            # The deadline holds for the end as well, and must not strike what follows it.
            await self._leave(broken)
            raise
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        """End the deadline, and raise the gateway's error for one of aiohttp's; the caller raises any other."""
        if self._deadline is not None:
            try:
                await self._deadline.__aexit__(None if error is None else type(error), error, None)
            except TimeoutError:
                raise UpstreamTimeoutError("Gemini did not answer in time.") from error
        if isinstance(error, TimeoutError):
            raise UpstreamTimeoutError("Gemini did not answer in time.") from error
        if isinstance(error, aiohttp.ClientConnectorError):
            self._upstream.is_reached = False
            raise UpstreamUnavailableError("Gemini could not be reached.", retry_after_s=2) from error
        if isinstance(error, (aiohttp.ClientError, ConnectionError)):
            raise UpstreamFailedError("The connection to Gemini broke before its answer was whole.") from error


@lru_cache(maxsize=1_024)
def _url(base: str, path: str) -> URL:
    return URL(base + path, encoded=True)


async def slices(view: memoryview) -> AsyncIterator[memoryview]:
    """Yield a body in slices that the transport can take one after the other."""
    for start in range(0, len(view), SLICE_BYTES):
        yield view[start : start + SLICE_BYTES]


@asynccontextmanager
async def open_upstream(settings: Settings, key: ApiKey, clock: GeminiClock | None = None) -> AsyncIterator[Upstream]:
    """Open the session, and close it at the end; without a clock, time follows this machine's."""
    async with open_session(settings, key) as session:
        yield Upstream(session, key, settings, clock or GeminiClock())
