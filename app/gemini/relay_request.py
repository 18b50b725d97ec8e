"""How the relay session writes its requests: what aiohttp does for every request, without what this one never needs.

A body of bytes goes out at once, in one write with its head. aiohttp starts a task for it (before Python 3.12 always by
way of the event loop), because a body may be long; a long one is an iterator here, and takes aiohttp's own way.
"""

from aiohttp import ClientRequest, ClientResponse
from aiohttp.connector import Connection
from aiohttp.http_writer import StreamWriter
from aiohttp.payload import BytesPayload


class RelayRequest(ClientRequest):
    """A request of a session without proxies, traces, compression or expectation of 100 Continue."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Write the request, and give the response that is to be read."""
        payload = self._body
        protocol = conn.protocol
        if not isinstance(payload, BytesPayload) or protocol is None:
            return await super().send(conn)
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await writer.write_eof(await payload.as_bytes())
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
