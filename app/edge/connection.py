"""How a connection waits and ends: its timers, the poll for a hang-up, the gentle close.

It is the lower half of the protocol and knows nothing of HTTP's parsing.
"""

import asyncio
import select
from asyncio.events import TimerHandle
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.edge.cycle import Cycle


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What one connection may ask for; times in seconds, sizes in bytes."""

    header_timeout_s: float
    max_header_bytes: int = 64 * 1024
    max_headers: int = 100
    drain_s: float = 2
    drain_bytes: int = 4 * 1024 * 1024
    poll_s: float = 0.5


class Phase(IntEnum):
    """What the next bytes of a connection are."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    DEAF = 3
    """Nothing more is parsed; what comes is dropped."""


class LimitedConnection(HttpToolsProtocol):
    """One client connection with its timers. A subclass says what a late head gets."""

    limits: ClassVar[EdgeLimits]

    cycle: Cycle
    phase = Phase.IDLE
    running: Cycle | None = None
    """The request whose answer is being made; `cycle` is the one being read, which may be queued behind it."""
    is_lingering = False
    _idle_since = 0.0
    _timer: TimerHandle | None = None
    _poll_timer: TimerHandle | None = None
    _dropped_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first request's head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the running request that its client has gone."""
        if self.running is not None:
            self.running.hang_up()
        self.stop_head_timer()
        self._unset_keepalive_if_required()
        if self._poll_timer is not None:
            self._poll_timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close, now or after the answer that is being made; one that was made within this turn goes out before."""
        if self.running is not None:
            self.running.transport.flush()
        super().shutdown()

    def start_head_timer(self) -> None:
        """Give the head that is awaited its time, from now, unless it runs already."""
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_timeout_s, self.head_is_late)

    def stop_head_timer(self) -> None:
        """Stop that clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def head_is_late(self) -> None:
        """Close a connection on which no request came."""
        self.transport.close()

    def start_idle_timer(self) -> None:
        """Give the next request its time to come, from now.

        The timer is set once, not anew for each answer: when it fires, it looks how long nothing has been going on.
        """
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
        """Stop reading. The event loop then sees not even a reset, so the socket is polled."""
        self.flow.pause_reading()
        if self._poll_timer is None:
            self._poll_timer = self.loop.call_later(self.limits.poll_s, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        if not self.flow.read_paused or self.transport.is_closing():
            return
        poll = select.poll()
        # Nothing is asked for: POLLERR and POLLHUP always come. POLLRDHUP is no hang-up, only the end of the body.
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        if poll.poll(0):
            self.transport.abort()
        else:
            self._poll_timer = self.loop.call_later(self.limits.poll_s, self._poll)

    def linger(self) -> None:
        """Close after an answer whose request has not ended.

        A close with unread bytes would be a reset, which can destroy the answer on its way: so say that no more comes,
        go on reading and dropping up to the limits, and then close.
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
        """Count what is read and dropped, and close when it is too much."""
        self._dropped_bytes += size_bytes
        if self._dropped_bytes > self.limits.drain_bytes:
            self.transport.close()
