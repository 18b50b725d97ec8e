"""Requests to Gemini: one session, the key, and the pool's limit.

Every call of the process passes through here: relayed calls, the gateway's own, uploads, Live, and google-genai's
control calls (`control`). No request follows a redirect or leaves the configured origins (`session`). This module knows
no envelope.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import lru_cache

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from app.errors import UpstreamCredentialsError, UpstreamFailedError, UpstreamUnavailableError
from app.gemini.caller import current_caller
from app.gemini.clock import GeminiClock
from app.gemini.connections import ConnectionSlots
from app.gemini.credentials import ApiKey
from app.gemini.deadline import Deadline, Patience
from app.gemini.masking import Masking
from app.gemini.refusals import KEY_REFUSED
from app.gemini.session import open_session, origins_of
from app.settings import Settings

API_VERSION = "v1beta"
HEARTBEAT_S = 30.0
HANDSHAKE_S = 30.0
REQUEST_LIMIT = "REQUEST_TIMEOUT_S"
CLIENT_LIMIT = "X-Server-Timeout"
# The largest number of connections reserved for control calls, and the largest share of all connections.
MOST_FOR_CONTROL = 16
CONTROL_SHARE = 1 / 8
# With one queued call per connection, a call waits about as long as a call takes; few connections need a longer queue.
SHORTEST_QUEUE = 64
# URLs of paths up to this length are cached, since most calls use the same few paths.
LONGEST_CACHED = 200
# aiohttp copies a body of bytes into the transport's buffer whole, so a longer one is sent slice by slice.
SLICE_BYTES = 1 << 16

Body = bytes | AsyncIterator[bytes | memoryview] | None


class Upstream:
    """Sends requests to Gemini within the pool's limit, and keeps Gemini's state as seen in its answers."""

    def __init__(self, session: aiohttp.ClientSession, key: ApiKey, settings: Settings, clock: GeminiClock) -> None:
        self._session = session
        self.masking = Masking(key.secrets)
        self._control_slots = _slots(settings, _for_control(settings))
        self._slots = _slots(settings, settings.upstream_connections - _for_control(settings))
        self._request_timeout_s = settings.request_timeout_s
        self._stream_timeout_s = settings.stream_timeout_s
        self.clock = clock
        self.origins = origins_of(settings)
        self.base = URL(settings.gemini_base_url, encoded=True)
        self._base = str(self.base)
        self.is_emulated = False
        self.is_reached: bool | None = None

    def url(self, path: str) -> URL:
        """Return the URL of an API path, which begins with a slash and is already encoded."""
        return _url(self._base, path) if len(path) <= LONGEST_CACHED else URL(self._base + path, encoded=True)

    def observe(self, headers: Mapping[str, str]) -> None:
        """Record from an answer's head that Gemini is reachable, its time, and whether it is the emulator."""
        self.is_emulated = "X-Gateway-Emulator" in headers
        self.is_reached = True
        self.clock.observe(headers.get("Date"))

    def patience(self, client_s: float | None = None, *, is_stream: bool = False) -> Patience:
        """Return the time limits of a call whose client sets `client_s` seconds (X-Server-Timeout)."""
        most_s = self._request_timeout_s
        is_clients = client_s is not None and client_s < most_s
        answer_s = client_s if client_s is not None and is_clients else most_s
        return Patience(
            answer_s=answer_s,
            limit=CLIENT_LIMIT if is_clients else REQUEST_LIMIT,
            pause_s=most_s,
            stream_s=self._stream_timeout_s,
            # A stream may last longer than the limit of its first bytes, so Gemini is told only the client's own limit.
            told_s=client_s if is_stream else answer_s,
        )

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: Body = None,
        timeout_s: float | None = None,
        deadline: Deadline | None = None,
        is_control: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Run an `async with` block with the answer to one request, of any status but a redirect.

        `headers` must hold the length of a body in pieces. `deadline` limits the exchange by phases, `timeout_s` (in
        seconds) as a whole; without both, the gateway's own limit applies. Control calls have connections of their own.
        Raises BusyError if no connection becomes free, UpstreamUnavailableError if Gemini cannot be reached,
        UpstreamTimeoutError, and UpstreamFailedError for a broken connection, a redirect and a foreign origin, also in
        the block.
        """
        if deadline is None:
            deadline = Deadline(self.patience() if timeout_s is None else Patience.total(timeout_s))
        slots = self._control_slots if is_control else self._slots
        async with self._connection(slots, deadline):
            with self._mapped_errors():
                async with deadline, self._asked(method, url, CIMultiDict(headers), body, deadline) as answer:
                    deadline.begin_answer()
                    self.observe(answer.headers)
                    yield answer

    def _asked(
        self, method: str, url: URL, headers: CIMultiDict[str], body: Body, deadline: Deadline
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers.setdefault("Accept-Encoding", "identity")
        told_s = deadline.patience.told_s
        if told_s is not None:
            headers["X-Server-Timeout"] = str(max(1, math.ceil(told_s - deadline.spent_s)))
        if isinstance(body, bytes):
            if len(body) > SLICE_BYTES:
                headers.setdefault("Content-Length", str(len(body)))
                body = slices(memoryview(body))
        elif body is not None and not deadline.patience.is_total:
            body = deadline.sending(body)
        return self._session.request(method, url, headers=headers, data=body, allow_redirects=False)

    @asynccontextmanager
    async def websocket(self, path: str, *, max_message_bytes: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket at an API path, and hold a connection until the block ends.

        Raises BusyError if no connection becomes free, UpstreamUnavailableError if Gemini cannot be reached,
        UpstreamTimeoutError if Gemini does not answer the handshake, UpstreamCredentialsError if Gemini refuses the
        key, and UpstreamFailedError for any other refusal and a broken connection.
        """
        deadline = Deadline(Patience.total(HANDSHAKE_S))
        async with self._connection(self._slots, deadline):
            with self._mapped_errors():
                async with deadline:
                    socket = await self._session.ws_connect(
                        self.url(path), max_msg_size=max_message_bytes, autoping=True, compress=0, heartbeat=HEARTBEAT_S
                    )
                async with socket:
                    self.is_reached = True
                    yield socket

    @asynccontextmanager
    async def _connection(self, slots: ConnectionSlots, deadline: Deadline) -> AsyncIterator[None]:
        """Run a block that uses one connection; the wait for the connection counts against the call's time."""
        caller = current_caller()
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        await slots.take(caller, within_s=deadline.patience.answer_s)
        try:
            deadline.spend(loop.time() - began_at)
            yield
        finally:
            slots.release(caller)

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        """Run a block that exchanges data with Gemini, and raise aiohttp's errors as the gateway's own."""
        try:
            yield
        except aiohttp.WSServerHandshakeError as error:
            if error.status in {401, 403}:
                raise UpstreamCredentialsError(KEY_REFUSED) from error
            raise UpstreamFailedError(f"Gemini refused the connection with status {error.status}.") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.is_reached = False
            raise UpstreamUnavailableError(
                "Gemini could not be reached; retry in a moment.", retry_after_s=2
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamFailedError("The connection to Gemini broke before the end of the answer.") from error


@lru_cache(maxsize=1_024)
def _url(base: str, path: str) -> URL:
    return URL(base + path, encoded=True)


def _for_control(settings: Settings) -> int:
    return max(1, min(MOST_FOR_CONTROL, int(settings.upstream_connections * CONTROL_SHARE)))


def _slots(settings: Settings, total: int) -> ConnectionSlots:
    # An open gateway cannot tell its callers apart, so a reserve for other callers would be wasted.
    share = 1.0 if settings.is_open else settings.client_share
    return ConnectionSlots(total, share, max(SHORTEST_QUEUE, total), settings.connection_wait_s)


async def slices(view: memoryview) -> AsyncIterator[memoryview]:
    """Yield a body in slices, so that the transport never copies the whole body."""
    for start in range(0, len(view), SLICE_BYTES):
        yield view[start : start + SLICE_BYTES]


@asynccontextmanager
async def open_upstream(settings: Settings, key: ApiKey, clock: GeminiClock | None = None) -> AsyncIterator[Upstream]:
    """Open the session, and close it at the end; without `clock`, a new GeminiClock of this machine is used."""
    async with open_session(settings, key) as session:
        yield Upstream(session, key, settings, clock or GeminiClock())
