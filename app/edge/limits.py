"""The limits of one connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Limits of one connection; times in seconds, sizes in bytes.

    `max_pipelined` requests may wait for the running request. After an answer whose request has not ended, at most
    `drain_bytes` are read and dropped for at most `drain_s`. `poll_s` is the time between two looks at a socket that is
    not read. A client that acknowledges no byte of its answer for `unread_s` is disconnected.
    """

    header_timeout_s: float
    max_header_bytes: int = 64 * 1024
    max_headers: int = 100
    max_pipelined: int = 16
    drain_s: float = 2
    drain_bytes: int = 4 * 1024 * 1024
    poll_s: float = 0.5
    unread_s: float = 120
