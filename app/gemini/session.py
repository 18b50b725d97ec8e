"""The one aiohttp session that reaches Gemini, and the rule that holds for every request on it.

    request ──> origin configured? ──> the key set ──> Gemini ──> 3xx? ──> answer

No request leaves the configured origins and no redirect is followed: aiohttp would carry the key to another origin.
The rule is a middleware of the session, so WebSocket handshakes obey it too. This module knows no path and no envelope.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from app.errors import UpstreamFailedError
from app.gemini.credentials import ApiKey
from app.settings import Settings

READ_BUFFER_BYTES = 1 << 18
KEEP_ALIVE_S = 30
DNS_CACHE_S = 60
# The session adds no header of its own: requests carry exactly their callers' headers.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def origins_of(settings: Settings) -> frozenset[URL]:
    """Return the origins that requests may go to: Gemini's origin and the origins of its upload sessions."""
    return frozenset(URL(url).origin() for url in (settings.gemini_base_url, *settings.upstream_upload_origins))


@asynccontextmanager
async def open_session(settings: Settings, key: ApiKey) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the connector and the session, and close both at the end.

    The session decompresses nothing, keeps no cookies, uses no proxy and bounds only the time to connect.
    """
    # `ConnectionSlots` bounds the connections; a limit here would be a second queue, without a bound.
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=DNS_CACHE_S
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_s),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BUFFER_BYTES,
        skip_auto_headers=_NOT_ADDED,
        middlewares=(_confined(origins_of(settings), key),),
    )
    async with session:
        yield session


def _confined(origins: frozenset[URL], key: ApiKey) -> aiohttp.ClientMiddlewareType:
    async def send_confined(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() not in origins:
            raise UpstreamFailedError("A request to a foreign address was not sent.")
        request.headers["x-goog-api-key"] = key.current()
        answer = await send(request)
        if 300 <= answer.status < 400:
            answer.close()
            raise UpstreamFailedError("Gemini answered with a redirect, which is never followed.")
        return answer

    return send_confined
