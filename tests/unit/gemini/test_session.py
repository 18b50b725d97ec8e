"""The session's requests as bytes, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from app.errors import UpstreamFailedError, UpstreamUnavailableError
from app.gemini.credentials import ApiKey
from app.gemini.upstream import SLICE_BYTES, Upstream, open_upstream
from app.settings import Settings

HEADERS = {"Content-Type": "application/json", "Content-Length": "4"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEY = b"x-goog-api-key: a-key\r\n"


@asynccontextmanager
async def upstream(received: list[bytes], answers: Sequence[bytes]) -> AsyncIterator[Upstream]:
    """Serve one connection: each request, up to a closing brace, is noted and answered; after the last it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            received.append(await reader.readuntil(b"}"))
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    async with server:
        host, port = server.sockets[0].getsockname()
        settings = Settings(_env_file=None, gemini_base_url=f"http://{host}:{port}")
        async with open_upstream(settings, ApiKey("a-key")) as opened:
            yield opened


async def test_the_given_headers_the_key_and_the_body_are_all_that_is_sent() -> None:
    received: list[bytes] = []

    async with upstream(received, [ANSWER, ANSWER]) as opened:
        for _ in range(2):
            url = opened.url("/v1beta/x?alt=sse")
            async with opened.request("POST", url, headers=HEADERS, body=b"{\r\n}", timeout_s=30) as answer:
                assert await answer.read() == b"ok"

    host = f"{opened.base.host}:{opened.base.port}".encode()
    head = b"POST /v1beta/x?alt=sse HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\n"
    sent = head + b"Content-Length: 4\r\nAccept-Encoding: identity\r\n" + KEY + b"\r\n{\r\n}"
    assert received == [sent] * 2


async def test_a_long_body_is_sent_whole() -> None:
    received: list[bytes] = []
    body = b"{" + b" " * (5 * SLICE_BYTES) + b"}"

    async with upstream(received, [ANSWER]) as opened:
        url = opened.url("/v1beta/x")
        async with opened.request("POST", url, headers={}, body=body) as answer:
            assert await answer.read() == b"ok"

    head, _, sent = received[0].partition(b"\r\n\r\n")
    assert sent == body
    assert b"Content-Length: %d" % len(body) in head


async def test_a_body_in_pieces_is_sent_with_the_length_that_its_headers_name() -> None:
    received: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"{ "
        yield b" }"

    async with upstream(received, [ANSWER]) as opened:
        url = opened.url("/v1beta/x")
        async with opened.request("POST", url, headers=HEADERS, body=body()) as answer:
            assert await answer.read() == b"ok"

    assert received[0].endswith(b"\r\n\r\n{  }")
    assert b"Content-Length: 4\r\n" in received[0]


async def test_a_connection_that_closes_without_an_answer_is_an_error() -> None:
    async with upstream([], [b""]) as opened:
        with pytest.raises(UpstreamFailedError):
            async with opened.request("POST", opened.url("/x"), headers=HEADERS, body=b"{  }"):
                pass


async def test_a_server_that_refuses_connections_is_an_error() -> None:
    async with upstream([], []) as opened:
        pass
    settings = Settings(_env_file=None, gemini_base_url=str(opened.base))
    async with open_upstream(settings, ApiKey("a-key")) as opened:
        with pytest.raises(UpstreamUnavailableError):
            async with opened.request("POST", opened.url("/x"), headers=HEADERS, body=b"{  }"):
                pass


async def test_a_connection_that_broke_is_not_used_again() -> None:
    received: list[bytes] = []
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"

    async with upstream(received, [cut]) as opened:
        for _ in range(2):
            with pytest.raises(UpstreamFailedError):
                async with opened.request("POST", opened.url("/x"), headers=HEADERS, body=b"{  }") as answer:
                    await answer.read()

    assert len(received) == 2


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/v1beta/x", "http://localhost/x", "https://generativelanguage.googleapis.com/"]
)
async def test_a_request_to_another_origin_is_not_sent(url: str) -> None:
    async with upstream([], []) as opened:
        with pytest.raises(UpstreamFailedError, match="a foreign address"):
            async with opened.request("GET", URL(url), headers={}):
                pass


async def test_an_upload_origin_may_be_another_than_geminis() -> None:
    received: list[bytes] = []

    async with upstream(received, [ANSWER]) as uploads:
        settings = Settings(
            _env_file=None, gemini_base_url="http://127.0.0.1:9", upstream_upload_origins=str(uploads.base)
        )
        async with open_upstream(settings, ApiKey("a-key")) as opened:
            url = uploads.url("/upload/x")
            async with opened.request("POST", url, headers=HEADERS, body=b"{  }") as answer:
                assert answer.status == 200

    assert KEY in received[0]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 306, 307, 308, 399])
async def test_a_redirect_is_an_error_and_its_connection_is_closed(status: int) -> None:
    redirect = b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status

    async with upstream([], [redirect]) as opened:
        with pytest.raises(UpstreamFailedError, match="redirect"):
            async with opened.request("POST", opened.url("/x"), headers=HEADERS, body=b"{  }"):
                pass


async def test_a_redirected_handshake_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    requests: list[bytes] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        settings = Settings(_env_file=None, gemini_base_url=f"http://{host}:{port}")
        async with open_upstream(settings, ApiKey("a-key")) as opened:
            with pytest.raises(UpstreamFailedError, match="redirect"):
                async with opened.websocket("/ws/x", max_message_bytes=100):
                    pass

    [request] = requests
    assert request.startswith(b"GET /ws/x HTTP/1.1\r\n")
    assert KEY in request
