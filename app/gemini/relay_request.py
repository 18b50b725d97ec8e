"""How the relay session makes its requests: what aiohttp does for every request, without what this one never needs.

`post` asks without what aiohttp's session is for: redirects, cookies, retries, traces, timers of its own.
A body of bytes goes out in one write with its head, in the loop's next turn, after all the requests that were made in
this one: a write that wakes the upstream costs more while other work stands between it and the next one. aiohttp starts
a task for each body, because it may be long; a long one is an iterator here, and takes aiohttp's own way.
"""

import asyncio
from collections.abc import Iterable

from aiohttp import ClientOSError, ClientRequest, ClientResponse, ClientSession
from aiohttp.connector import Connection
from aiohttp.http_writer import StreamWriter
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict
from yarl import URL

_NOT_ADDED = CIMultiDict[None]((name, None) for name in ("User-Agent", "Accept", "Accept-Encoding", "Content-Type"))


class RelayRequest(ClientRequest):
    """A request with the given headers alone, of a session without proxies, traces and compression."""

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add no header of aiohttp's own, whatever the session says."""
        self._skip_auto_headers = _NOT_ADDED

    async def send(self, conn: Connection) -> ClientResponse:
        """Write the request, and give the response that is to be read."""
        payload = self._body
        protocol = conn.protocol
        if not isinstance(payload, BytesPayload) or protocol is None:
            return await super().send(conn)
        writer = _Writer(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        self.loop.call_soon(writer.write_whole, await payload.as_bytes())
        protocol.start_timeout()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )


class _Writer(StreamWriter):
    def write_whole(self, body: bytes) -> None:
        """Write the head and the whole body.

        Where the connection has gone since, nothing is written: whoever reads the response is told by the protocol.
        """
        transport = self.transport
        if self._headers_buf is not None and transport is not None and not transport.is_closing():
            transport.write(self._headers_buf + body)


async def post(
    session: ClientSession, url: URL, headers: CIMultiDict[str], body: bytes, *, read_bufsize: int
) -> ClientResponse:
    """Ask by POST, and give the response when its head has come; whoever gets it releases it.

    `session` lends its connections and its timeout for connecting. Raises what `ClientSession.post` raises.
    """
    connector = session.connector
    if connector is None:
        raise RuntimeError("the session is closed")
    loop = asyncio.get_running_loop()
    request = RelayRequest("POST", url, headers=headers, data=body, loop=loop, session=session)
    try:
        connection = await connector.connect(request, traces=[], timeout=session.timeout)
        try:
            return await _answered(request, connection, read_bufsize)
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        if isinstance(error, (ClientOSError, TimeoutError)):
            raise
        raise ClientOSError(*error.args) from error


async def _answered(request: RelayRequest, connection: Connection, read_bufsize: int) -> ClientResponse:
    protocol = connection.protocol
    if protocol is None:
        raise RuntimeError("the connection is closed")
    protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=read_bufsize)
    response = await request.send(connection)
    try:
        await response.start(connection)
    except BaseException:
        response.close()
        raise
    return response
