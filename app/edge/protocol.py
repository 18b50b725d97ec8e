"""The connection: uvicorn's httptools protocol with the limits and manners that it lacks.

    bytes ── head ──> cycle ── body ──> answer
      │       │                 │          │
      │     431, 408, 400     400 by     body not ended: Connection: close,
      │     (gateway.refusal)  receive()   then read and drop, then close
      └─ nothing read while the application is busy: the socket is polled for a hang-up

What the protocol itself refuses goes through the application all the same, as a scope that carries the error under
`scope["extensions"]["gateway.refusal"]`, so that there is one rendering, one log and one place for CORS headers.
It knows nothing of FastAPI, Gemini or the settings.
"""

import asyncio
import urllib.parse
from typing import TYPE_CHECKING, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.edge.connection import EdgeLimits, LimitedConnection, Phase
from app.edge.cycle import AnswerTransport, Cycle
from app.errors import GatewayError, HeadersTooLargeError, MalformedRequestError, SlowBodyError

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

__all__ = ["EdgeLimits", "EdgeProtocol", "make_protocol"]

_IDLE, _HEAD, _BODY, _DEAF = Phase
"""Bound once: looking a member up costs more than comparing it, and this is done for every header."""
_RENDERED_HEADERS = frozenset({b"origin", b"x-request-id"})
"""Of a refused request, what the rendering needs; the rest is not to be acted upon."""
_UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_LINE_OVERHEAD_BYTES = len(b": \r\n")
_REQUEST_LINE_OVERHEAD_BYTES = len(b"GET  HTTP/1.1\r\n")


class EdgeProtocol(LimitedConnection):
    """One client connection. `make_protocol` gives it its limits."""

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
            self._refuse(self._refusal or MalformedRequestError(f"The request is not valid HTTP: {error}."))
        else:
            self._bound_what_is_held()

    def _bound_what_is_held(self) -> None:
        """Bound what the parser keeps for itself: at most what it was fed since it last gave something out."""
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
                    else MalformedRequestError("The body's framing (chunk extensions, trailers) goes on without end.")
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
        """Take one header. Trailers are dropped: the request has been judged without them."""
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
            raise self._refused(MalformedRequestError("The gateway is no proxy: CONNECT is not served."))
        if parser.should_upgrade():
            self._is_upgrade = True
            return
        version = parser.get_http_version()
        if version != "1.1":
            self.scope["http_version"] = version
        try:
            self._set_target()
        except (httptools.HttpParserError, ValueError):
            error = MalformedRequestError("The request line's target is not a path or an http URL.")
            raise self._refused(error) from None
        self.phase = _BODY
        self._enter(keep_alive=version != "1.0" and parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Hold a piece of the body, and stop reading while too much is held."""
        self._gave_out = True
        cycle = self.cycle
        if not cycle.body:
            # As it is: what comes alone, as most of a large body does, is not copied twice to be given out.
            cycle.body = body  # type: ignore[assignment]  # uvicorn gives bytes(body) out, whichever it is
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
        """Keep an error that a callback raises: the parser stops, but raises one of its own."""
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
        extensions: dict[str, object] = {
            "gateway.hangup": cycle.hangup,
            "gateway.is_body_here": cycle.message_event.is_set,
        }
        if refusal is not None:
            extensions["gateway.refusal"] = refusal
        cast("dict[str, object]", self.scope)["extensions"] = extensions
        if self._is_busy():
            self.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self.running = cast("Cycle", cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Start the next request; after an answer that ends the connection there is none."""
        self.server_state.total_requests += 1
        if self.is_lingering or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.start_idle_timer()

    def _upgrade(self, rest: bytes) -> None:
        """Hand a WebSocket handshake over. Any other upgrade is ignored, as HTTP allows, and its request read again."""
        if not self._should_upgrade():
            self._read_again_without_upgrade(rest)
        elif self._is_busy():
            self._refuse(MalformedRequestError("A WebSocket handshake came before the last request was answered."))
        else:
            self._unset_keepalive_if_required()
            self.handle_websocket_upgrade()

    def _read_again_without_upgrade(self, rest: bytes) -> None:
        # The parser skips the body of what asks for an upgrade; Java's client asks for h2c with every first request.
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
        """End the connection with an error: as the request's answer, or within its body as what `receive()` raises.

        The headers that an answer follows are those before the last one, which the parser has not given out yet.
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
        """Refuse a head that does not end; a connection on which nothing came is closed without a word."""
        if self.phase is _HEAD:
            seconds = self.limits.header_timeout_s
            self._refuse(SlowBodyError(f"The request's headers took longer than {seconds:g} s."))
        else:
            super().head_is_late()


def make_protocol(limits: EdgeLimits) -> type[EdgeProtocol]:
    """Give the protocol class with these limits, for uvicorn's `http=`."""
    return type("LimitedEdgeProtocol", (EdgeProtocol,), {"limits": limits})
