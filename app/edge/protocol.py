"""One client connection: uvicorn's httptools protocol with the limits that it lacks.

    bytes ── head ──> cycle ── body ──> answer
      │       │  │              │          │
      │       │  └─ queued     400 by     body not ended: Connection: close,
      │       │     (at most   receive()  then read and drop, then close
      │       │      16)
      │     431, 408, 400 (refusal)
      └─ not read while requests are queued: the socket is polled for a hang-up

A request that the protocol refuses goes through the application too, as a scope with the error under
the request's context, so that there is one rendering, one log and one place for CORS headers.
The module knows nothing about FastAPI, Gemini or the settings.
"""

import asyncio
import urllib.parse
from typing import TYPE_CHECKING, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.edge.connection import LimitedConnection, Phase
from app.edge.cycle import AnswerTransport, Cycle
from app.edge.limits import EdgeLimits
from app.edge.websocket import EdgeWebSocket
from app.errors import GatewayError, HeadersTooLargeError, MalformedRequestError, SlowBodyError
from app.request.context import RequestContext

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

_IDLE, _HEAD, _BODY, _DEAF = Phase
"""Bound once: looking a member up costs more than comparing it, and every header needs a comparison."""
_RENDERED_HEADERS = frozenset({b"origin", b"x-request-id"})
"""The headers of a refused request that its rendering needs; no other may be acted upon."""
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
_BAD_TARGET = "The request line's target is not a path or an http URL."
_UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_LINE_OVERHEAD_BYTES = len(b": \r\n")
_REQUEST_LINE_OVERHEAD_BYTES = len(b"GET  HTTP/1.1\r\n")


class _TooManyRequestsQueuedError(Exception):
    """Stops the parser; the client sees only that the connection ends with the running request's answer."""


class EdgeProtocol(LimitedConnection):
    """One client connection. `make_protocol` sets its limits."""

    _refusal: GatewayError | None = None
    _is_upgrade = False
    _fed_bytes = 0
    _gave_out = False
    _held_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within the limits of a head."""
        if self.phase is _DEAF:
            self.drop(len(data))
            return
        self._gave_out = False
        self._fed_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if self.phase is not _DEAF:
                self._refuse(self._refusal or MalformedRequestError(f"The request is not valid HTTP: {error}."))
        else:
            self._bound_what_is_held()

    def _bound_what_is_held(self) -> None:
        """Bound the bytes that the parser keeps, which are at most the bytes fed since its last callback."""
        phase = self.phase
        if self._gave_out:
            self._held_bytes = 0
        elif phase is not _IDLE:
            self._held_bytes += self._fed_bytes
            if self._held_bytes > self.limits.max_header_bytes:
                is_head = phase is _HEAD
                self._refuse(
                    self._too_large()
                    if is_head
                    else MalformedRequestError("The body's framing (chunk extensions, trailers) exceeds its limit.")
                )
                return
        if phase is _HEAD or (phase is _IDLE and not self._is_busy()):
            self.start_head_timer()

    def _is_busy(self) -> bool:
        return self.running is not None and not self.running.response_complete

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.phase = _HEAD
        self._is_upgrade = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one header. Trailers are dropped: the request has been judged without them."""
        if self.phase is not _HEAD:
            return
        if len(self.headers) >= self.limits.max_headers:
            raise self._refused(self._too_large())
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the request, or queue it behind the one that runs."""
        self._gave_out = True
        if self._held_bytes + self._fed_bytes > self.limits.max_header_bytes and not self._is_head_small():
            raise self._refused(self._too_large())
        self.stop_head_timer()
        parser = self.parser
        method = parser.get_method()
        self.scope["method"] = method.decode("ascii")
        if method == b"CONNECT":
            raise self._refused(MalformedRequestError("The gateway is not a proxy; CONNECT is not supported."))
        try:
            self._set_target()
        except (httptools.HttpParserError, ValueError):
            raise self._refused(MalformedRequestError(_BAD_TARGET)) from None
        if parser.should_upgrade():
            self._is_upgrade = True
            return
        version = parser.get_http_version()
        if version != "1.1":
            self.scope["http_version"] = version
        self.phase = _BODY
        self._enter(keep_alive=version != "1.0" and parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Hold a piece of the body, and stop reading while too much is held."""
        self._gave_out = True
        cycle = self.cycle
        if not cycle.body:
            # Not copied, since a large body's piece is mostly the only one held.
            cycle.body = body  # type: ignore[assignment]  # uvicorn hands out bytes(body) of either type
        elif isinstance(cycle.body, bytearray):
            cycle.body += body
        else:
            cycle.body = bytearray(cycle.body) + body
        if len(cycle.body) > HIGH_WATER_LIMIT or cycle is not self.running:
            self.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """End a request's body."""
        self._gave_out = True
        if self._is_upgrade:
            return
        self.phase = _IDLE
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _is_head_small(self) -> bool:
        size = len(self.url) + _REQUEST_LINE_OVERHEAD_BYTES
        size += sum(len(name) + len(value) + _LINE_OVERHEAD_BYTES for name, value in self.headers)
        return size <= self.limits.max_header_bytes

    def _refused(self, error: GatewayError) -> GatewayError:
        """Keep an error that a callback raises: the parser stops, but raises an error of its own."""
        self._refusal = error
        return error

    def _too_large(self) -> HeadersTooLargeError:
        limits = self.limits
        return HeadersTooLargeError(
            f"The request's headers are more than {limits.max_headers}, or more than {limits.max_header_bytes} bytes "
            "together with the request line."
        )

    def _set_target(self) -> None:
        target = httptools.parse_url(self.url)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        self.scope["path"] = self.root_path + (urllib.parse.unquote(path) if "%" in path else path)
        self.scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        self.scope["query_string"] = target.query or b""

    # Requests and answers

    def _enter(self, *, keep_alive: bool, refusal: GatewayError | None = None) -> None:
        is_busy = self._is_busy()
        if is_busy and refusal is None and len(self.pipeline) >= self.limits.max_pipelined:
            self._end_after_answer()
            raise _TooManyRequestsQueuedError
        cycle = self.cycle = Cycle(
            scope=self.scope,
            transport=AnswerTransport(self),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.hangup = self.loop.create_future()
        context = RequestContext(cycle.hangup, cycle.message_event.is_set, refusal)
        context.place(cast("dict[str, object]", self.scope))
        if is_busy:
            self.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def _end_after_answer(self) -> None:
        """Answer only the running request and close; a server may leave queued requests open (RFC 9112, 9.3.2)."""
        self.pipeline.clear()
        self.phase = _DEAF
        self.stop_head_timer()
        self.pause_reading()
        if self.running is not None:
            self.running.keep_alive = False
            self.running.transport.lingers = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self.running = cast("Cycle", cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Start the next queued request, unless this answer ends the connection."""
        self.server_state.total_requests += 1
        if self.is_lingering or self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.start_idle_timer()
        self.flow.resume_reading()

    def _upgrade(self, rest: bytes) -> None:
        """Hand a WebSocket handshake over. Ignore any other upgrade, as HTTP allows, and parse its request again."""
        if not self._should_upgrade():
            self._read_again_without_upgrade(rest)
        elif self._is_busy():
            self._refuse(MalformedRequestError("A WebSocket handshake arrived before the last request was answered."))
        elif any(name in _BODY_HEADERS and value != b"0" for name, value in self.headers):
            self._refuse(MalformedRequestError("A WebSocket handshake has no body: its Content-Length is 0 or absent."))
        else:
            self._hand_over(rest)

    def _hand_over(self, rest: bytes) -> None:
        self._unset_keepalive_if_required()
        socket = EdgeWebSocket(self.config, self.server_state, self.app_state)
        socket.connection_made(self.transport)
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers]
        if socket.begin(b"\r\n".join([*lines, b"", b""])):
            self.connections.discard(self)
            self.transport.set_protocol(socket)
            socket.data_received(rest)
        else:
            self.connections.discard(socket)
            self._refuse(
                MalformedRequestError("The WebSocket handshake cannot be read: a header line has at most 8 KiB.")
            )

    def _read_again_without_upgrade(self, rest: bytes) -> None:
        # The parser skips the body of a request for an upgrade. Java's client asks for h2c with every first request.
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name not in _UPGRADE_HEADERS:
                head += [name, b": ", value, b"\r\n"]
        if not self.parser.should_keep_alive():
            head.append(b"connection: close\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._held_bytes = 0
        self.data_received(b"".join([*head, b"\r\n", rest]))

    def _refuse(self, error: GatewayError) -> None:
        """End the connection with an error: as the request's answer, or, within its body, raised by `receive()`.

        The answer follows the headers before the last one, which the parser has not handed out yet.
        """
        is_in_body = self.phase is _BODY
        self.phase = _DEAF
        self.stop_head_timer()
        self.pause_reading()
        if is_in_body:
            self.cycle.fail(error)
            return
        try:
            self._set_target()
        except (httptools.HttpParserError, ValueError):
            self.scope.update({"path": "/", "raw_path": b"/", "query_string": b""})
        self.scope["method"] = self.parser.get_method().decode("ascii") if self.url else "GET"
        self.scope["headers"] = [header for header in self.headers if header[0] in _RENDERED_HEADERS]
        self.expect_100_continue = False
        self._enter(keep_alive=False, refusal=error)

    def head_is_late(self) -> None:
        """Refuse a head that does not end; close a connection without any bytes, without an answer."""
        if self.phase is _HEAD:
            seconds = self.limits.header_timeout_s
            self._refuse(SlowBodyError(f"The request's headers took longer than {seconds:g} s."))
        else:
            super().head_is_late()


def make_protocol(limits: EdgeLimits) -> type[EdgeProtocol]:
    """Return the protocol class with these limits, for uvicorn's `http=`."""
    return type("LimitedEdgeProtocol", (EdgeProtocol,), {"limits": limits})
