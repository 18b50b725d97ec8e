"""The connection to Gemini: one connector, two sessions on it, the key, and Gemini's clock.

    relay    what carries media and answers: nothing decompressed, no default headers, no cookies, no total timeout
    control  google-genai's, for files and models

Redirects are never followed: aiohttp would carry the key to another origin. This module knows no envelope.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from types import TracebackType

import aiohttp
from google import genai
from google.genai.types import HttpOptions, HttpRetryOptions
from multidict import CIMultiDict
from yarl import URL

from app.errors import UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError
from app.gemini.credentials import ApiKey
from app.gemini.relay_request import RelayRequest, post
from app.settings import Settings

API_VERSION = "v1beta"
CLOCK_TOLERANCE_S = 5.0
HEARTBEAT_S = 30.0
CONTROL_SHARE = 4
"""Connections of the pool that large transfers leave to the control calls."""

LONGEST_KEPT = 200
READ_BUFFER_BYTES = 1 << 18
"""Paths up to this long are kept as URLs: mostly they are the same few."""

Body = bytes | aiohttp.payload.Payload | AsyncIterator[bytes | memoryview] | None


class Upstream:
    """Requests to Gemini on the relay session, with the key, within the pool's limit."""

    def __init__(self, relay: aiohttp.ClientSession, control: genai.Client, key: ApiKey, settings: Settings) -> None:
        self._relay = relay
        self._key = key
        self._slots = asyncio.Semaphore(max(1, settings.upstream_connections - CONTROL_SHARE))
        self._clock_skew_s = 0.0
        self._date = ""
        self.base = URL(settings.gemini_base_url, encoded=True)
        self._base = str(self.base)
        self.control = control
        self.is_emulated = False
        self.is_reached: bool | None = None

    def now(self) -> float:
        """Tell the time on Gemini's clock, in seconds since the epoch."""
        return time.time() + self._clock_skew_s

    def url(self, path: str) -> URL:
        """Build the URL of an API path, which begins with a slash and is already encoded."""
        return _url(self._base, path) if len(path) <= LONGEST_KEPT else URL(self._base + path, encoded=True)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer's head: that Gemini is there, its clock, and whether it is the emulator."""
        self.is_emulated = "X-Gateway-Emulator" in headers
        self.is_reached = True
        date = headers.get("Date", self._date)
        if date != self._date:
            self._date = date
            try:
                skew_s = parsedate_to_datetime(date).timestamp() - time.time()
            except ValueError:
                return
            # The header counts whole seconds, so smaller differences are no news, and would make time run backwards.
            if abs(skew_s - self._clock_skew_s) > CLOCK_TOLERANCE_S:
                self._clock_skew_s = skew_s

    def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], body: Body = None, timeout_s: float | None = None
    ) -> "Exchange":
        """Run an `async with` block with the answer to one request, whatever its status but a redirect.

        `timeout_s` bounds the whole exchange; without it the caller's own deadline holds.
        Raises UpstreamUnavailableError when Gemini cannot be reached, UpstreamTimeoutError, and UpstreamFailedError
        for a connection that broke or a redirect, also in the block.
        """
        sent = CIMultiDict(headers)
        sent["x-goog-api-key"] = self._key.current()
        sent.setdefault("Accept-Encoding", "identity")
        ask: Callable[[], Awaitable[aiohttp.ClientResponse]]
        if method == "POST" and isinstance(body, bytes):
            ask = partial(post, self._relay, url, sent, body, read_bufsize=READ_BUFFER_BYTES)
        else:
            ask = partial(self._relay.request, method, url, headers=sent, data=body, allow_redirects=False)
        return Exchange(self, self._slots, ask, timeout_s)

    @asynccontextmanager
    async def websocket(self, path: str, *, max_message_bytes: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket at an API path, with the key.

        Raises UpstreamUnavailableError when Gemini cannot be reached, UpstreamFailedError when it refuses.
        """
        scheme = "wss" if self.base.scheme == "https" else "ws"
        url = URL(f"{scheme}{str(self.base).removeprefix(self.base.scheme)}{path}", encoded=True)
        headers = {"x-goog-api-key": self._key.current()}
        opening = self._relay.ws_connect(
            url, headers=headers, max_msg_size=max_message_bytes, autoping=True, compress=0, heartbeat=HEARTBEAT_S
        )
        try:
            async with self._slots, opening as socket:
                self.is_reached = True
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamFailedError(f"Gemini refused the connection with status {error.status}.") from error
        except aiohttp.ClientConnectorError as error:
            self.is_reached = False
            raise UpstreamUnavailableError("Gemini could not be reached.", retry_after_s=2) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamFailedError("The connection to Gemini broke.") from error


class Exchange:
    """What `Upstream.request` gives. A plain class: every call goes through it, and a generator would cost more."""

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
        if 300 <= answer.status < 400:
            refused = UpstreamFailedError("Gemini answered with a redirect, which is never followed.")
            await self.__aexit__(type(refused), refused, None)
            raise refused
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
        """End the deadline, and say what an error means here; one that means nothing here is the caller's to raise."""
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


def _with_current(key: ApiKey) -> aiohttp.ClientMiddlewareType:
    # The SDK keeps the key that it was made with; a key file may have changed since.
    async def replace(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers["x-goog-api-key"] = key.current()
        return await send(request)

    return replace


@asynccontextmanager
async def open_upstream(settings: Settings, key: ApiKey) -> AsyncIterator[Upstream]:
    """Open the connector and both sessions, and close them at the end."""
    connector = aiohttp.TCPConnector(
        limit=settings.upstream_connections, limit_per_host=0, keepalive_timeout=30, ttl_dns_cache=60
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s)
    jar = aiohttp.DummyCookieJar()
    async with connector:
        relay = aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            cookie_jar=jar,
            timeout=timeout,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER_BYTES,
            request_class=RelayRequest,
        )
        control_session = aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            cookie_jar=jar,
            timeout=timeout,
            trust_env=False,
            middlewares=(_with_current(key),),
        )
        async with relay, control_session:
            options = HttpOptions(
                base_url=settings.gemini_base_url,
                api_version=API_VERSION,
                aiohttp_client=control_session,
                timeout=30_000,
                retry_options=HttpRetryOptions(attempts=3, initial_delay=0.2, max_delay=2),
            )
            # `vertexai` is said, since the SDK would otherwise read it from the environment.
            control = genai.Client(api_key=key.current(), vertexai=False, http_options=options)
            yield Upstream(relay, control, key, settings)
