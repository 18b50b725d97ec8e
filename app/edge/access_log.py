"""Adds to each request an id and a log line, and answers each exception that escapes the application.

The line names the route's template, never the path, the query or a header, which can carry keys and prompts. For the
same reason an unexpected exception is logged as its type and its frames, without its message.
"""

import asyncio
import logging
import re
import secrets
import traceback
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from app.edge.reply import error_response, reply
from app.errors import ClientGoneError, GatewayError, InternalError
from app.request.context import context_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ACCESS_LOGGER", "AccessLog", "error_response", "reply"]

ACCESS_LOGGER = "gateway.access"
_access = logging.getLogger(ACCESS_LOGGER)
_errors = logging.getLogger("gateway.errors")
_LINE = "%s %s %d %.1fms in=%d out=%d request_id=%s"
_CLIENT_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
_BODIES = frozenset({"http.response.body", "websocket.http.response.body"})


@dataclass(slots=True)
class Exchanged:
    """The measurements of a request that has ended; times in milliseconds since its head was read."""

    status: int
    total_ms: float
    first_byte_ms: float | None
    bytes_in: int
    bytes_out: int
    is_shutdown: bool = False


class AccessLog:
    """ASGI middleware for HTTP and WebSocket scopes, directly inside CORS.

    It sets the context's request id (the client's X-Request-Id if well formed) and base URL, adds X-Request-Id to the
    answer, and renders each error that escapes the application. `on_end` is called for each request that has ended.
    """

    def __init__(
        self,
        app: "ASGIApp",
        *,
        public_url: str | None = None,
        on_end: "Callable[[Scope, Exchanged], None] | None" = None,
    ) -> None:
        self._app = app
        self._public_url = public_url or ""
        self._on_end = on_end

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Run the application, then log the request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        context = context_of(scope)
        context.request_id = request_id.decode("ascii")
        context.base_url = self._public_url
        exchange = _Exchange(scope, receive, send, request_id)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # A client that left is a ClientGoneError here: only the server's own end cancels a whole request.
            exchange.is_shutdown = True
            raise
        except ClientGoneError:
            exchange.has_client_gone = True
        except GatewayError as error:
            await self._rescue(exchange, error)
        except Exception as error:
            _log_defect(error, exchange)
            await self._rescue(
                exchange,
                InternalError("The gateway failed. The operator finds the cause in the log by the request_id."),
            )
        finally:
            ended = exchange.ended()
            if self._on_end is not None:
                self._on_end(scope, ended)
            exchange.log(ended)

    async def _rescue(self, exchange: "_Exchange", error: GatewayError) -> None:
        # An answer that has begun stays unfinished, and the server cuts the connection.
        if exchange.status == 0:
            await reply(exchange.scope, exchange.send, error)
        else:
            context_of(exchange.scope).problem = error.code


class _Exchange:
    """The measurements of a request that runs."""

    __slots__ = (
        "_began_at",
        "_first_byte_at",
        "_receive",
        "_request_id",
        "_send",
        "bytes_in",
        "bytes_out",
        "has_client_gone",
        "is_shutdown",
        "scope",
        "status",
    )

    def __init__(self, scope: "Scope", receive: "Receive", send: "Send", request_id: bytes) -> None:
        self.scope = scope
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.has_client_gone = False
        self.is_shutdown = False
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._began_at = perf_counter()
        self._first_byte_at: float | None = None

    async def receive(self) -> "Message":
        message = await self._receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
        elif message["type"] == "websocket.receive":
            self.bytes_in += _frame_bytes(message)
        return message

    async def send(self, message: "Message") -> None:
        kind = message["type"]
        if kind not in _STARTS:
            if kind in _BODIES:
                self.bytes_out += len(message.get("body", b""))
            elif kind == "websocket.send":
                self.bytes_out += _frame_bytes(message)
            elif kind == "websocket.close" and self.status == 0:
                self.status = 403
            await self._send(message)
            return
        message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._request_id)]
        await self._send(message)
        # Noted only now: the server refuses a head with a broken header, and then the error can still be answered.
        self.status = message.get("status", 101)
        self._first_byte_at = perf_counter()

    def ended(self) -> "Exchanged":
        hangup = context_of(self.scope).hangup
        has_gone = self.has_client_gone or (hangup is not None and hangup.done())
        began_at, first_byte_at = self._began_at, self._first_byte_at
        return Exchanged(
            ClientGoneError.status if has_gone else self.status or InternalError.status,
            (perf_counter() - began_at) * 1000,
            None if first_byte_at is None else (first_byte_at - began_at) * 1000,
            self.bytes_in,
            self.bytes_out,
            self.is_shutdown or context_of(self.scope).is_shutdown,
        )

    def log(self, ended: "Exchanged") -> None:
        scope, context = self.scope, context_of(self.scope)
        operation = context.target.operation
        _access.info(
            _LINE,
            scope.get("method", "WEBSOCKET"),
            "-" if operation is None else operation.path,
            ended.status,
            ended.total_ms,
            ended.bytes_in,
            ended.bytes_out,
            context.request_id,
        )


def _frame_bytes(message: "Message") -> int:
    # Characters count as bytes: exact for base64 and most JSON, and saves encoding the text only to measure it.
    return len(message.get("bytes") or message.get("text") or b"")


def _request_id(scope: "Scope") -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _CLIENT_ID.fullmatch(value):
            return bytes(value)
    return f"req_{secrets.token_hex(12)}".encode("ascii")


def _log_defect(error: BaseException, exchange: _Exchange) -> None:
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 5:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        chain.append(f"{type(cause).__module__}.{type(cause).__qualname__}\n{frames}")
        cause = cause.__cause__ or cause.__context__
    _errors.error("unexpected error, request_id=%s: %s", context_of(exchange.scope).request_id, "from ".join(chain))
