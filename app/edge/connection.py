"""The lower half of a connection: its timers, when it is read, the poll for a hang-up, and the gentle close.

The module knows nothing about parsing HTTP.
"""

import asyncio
import select
import socket
from asyncio.events import TimerHandle
from collections import deque
from enum import IntEnum
from typing import ClassVar, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.edge.cycle import Cycle
from app.edge.limits import EdgeLimits


class Phase(IntEnum):
    """The kind of the next bytes of a connection."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    DEAF = 3
    """No more bytes are parsed; all that arrive are dropped."""


class QueueFlow(FlowControl):
    """uvicorn's flow control, but a connection with queued requests is not read.

    Every resumption of reading passes through here: the end of an answer, a handler that waits for its client to leave,
    and a body that is read.
    """

    # Each resumption would admit another read full of requests.

    def __init__(self, transport: asyncio.Transport, queue: deque[object]) -> None:
        super().__init__(transport)
        self._queue = queue

    def resume_reading(self) -> None:
        """Read again, unless requests are queued."""
        if not self._queue:
            super().resume_reading()


class LimitedConnection(HttpToolsProtocol):
    """One client connection with its timers. A subclass decides the answer to a late head."""

    limits: ClassVar[EdgeLimits]

    cycle: Cycle
    phase = Phase.IDLE
    running: Cycle | None = None
    """The request that is being answered. `cycle` is the request that is being read, and may be queued behind it."""
    is_lingering = False
    _idle_since = 0.0
    _timer: TimerHandle | None = None
    _poll_timer: TimerHandle | None = None
    _dropped_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first request's head."""
        transport = cast("asyncio.Transport", transport)
        super().connection_made(transport)
        self.flow = QueueFlow(transport, cast("deque[object]", self.pipeline))
        _bound_unread(transport.get_extra_info("socket"), self.limits.unread_s)
        self.start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the running request that its client has left."""
        if self.running is not None:
            self.running.hang_up()
        self.stop_head_timer()
        self._unset_keepalive_if_required()
        if self._poll_timer is not None:
            self._poll_timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close, now or after the running answer; the bytes held for this turn of the loop are sent before."""
        if self.running is not None:
            self.running.transport.flush()
        super().shutdown()

    def start_head_timer(self) -> None:
        """Start the time limit of the next head, unless it runs already."""
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_timeout_s, self.head_is_late)

    def stop_head_timer(self) -> None:
        """Stop the time limit of the head."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def head_is_late(self) -> None:
        """Close a connection without a request."""
        self.transport.close()

    def start_idle_timer(self) -> None:
        """Start the time limit of an idle connection.

        When the timer fires, it checks for how long the connection has been idle.
        """
        # Set once a connection, since setting a timer for every answer would cost more.
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._idle_for(self.timeout_keep_alive)

    def _idle_for(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, unless a request came since the timer was set."""
        self.timeout_keep_alive_task = None
        if self.phase is not Phase.IDLE or (self.running is not None and not self.running.response_complete):
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle_for(left_s)
        else:
            super().timeout_keep_alive_handler()

    def pause_reading(self) -> None:
        """Stop reading. The event loop then does not see even a reset, so the socket is polled."""
        self.flow.pause_reading()
        if self._poll_timer is None:
            self._poll_timer = self.loop.call_later(self.limits.poll_s, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        if not self.flow.read_paused or self.transport.is_closing():
            return
        poll = select.poll()
        # No event is asked for: POLLERR and POLLHUP always come. POLLRDHUP is no hang-up, only the end of the body.
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        if poll.poll(0):
            self.transport.abort()
        else:
            self._poll_timer = self.loop.call_later(self.limits.poll_s, self._poll)

    def linger(self) -> None:
        """Close after an answer whose request has not ended.

        A close with unread bytes would be a reset, which can destroy the answer on its way. So end the sending side,
        read and drop bytes up to the limits, and then close.
        """
        if self.transport.is_closing() or self.is_lingering:
            return
        self.stop_head_timer()
        if self.phase is not Phase.DEAF and not self.cycle.more_body:
            self.transport.close()
            return
        self.phase = Phase.DEAF
        self.is_lingering = True
        self.transport.write_eof()
        self._timer = self.loop.call_later(self.limits.drain_s, self.transport.close)
        self.flow.resume_reading()

    def drop(self, size_bytes: int) -> None:
        """Count bytes that are read and dropped, and close above the limit."""
        self._dropped_bytes += size_bytes
        if self._dropped_bytes > self.limits.drain_bytes:
            self.transport.close()


def _bound_unread(connected: socket.socket, unread_s: float) -> None:
    # The kernel sees acknowledged bytes, the event loop only an empty buffer. It also ends a close that waits for its
    # last bytes to be read, which has no other limit. Only Linux has the option.
    if hasattr(socket, "TCP_USER_TIMEOUT") and connected.family in {socket.AF_INET, socket.AF_INET6}:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread_s * 1000))
