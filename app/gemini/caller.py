"""The caller on whose behalf the running task asks Gemini, by opaque keys: connections are shared between callers.

The surface sets the caller once per request, and all tasks of the request inherit it (`contextvars`), so that no call
can forget to pass it on. Without a caller the gateway acts for itself. This module knows no client.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.errors import BusyError, GatewayError


@dataclass(slots=True, eq=False)
class Caller:
    """One request's caller: `group` is a key or an issuer, `user` a user of that group.

    `gave_up_waiting` means that the request ended while it waited for a connection.
    """

    group: str
    user: str
    gave_up_waiting: bool = False


_GATEWAY = ""
_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """Return the running task's caller."""
    return _current.get() or Caller(_GATEWAY, _GATEWAY)


@contextmanager
def on_behalf_of(group: str, user: str) -> Iterator[Caller]:
    """Run a block, and the tasks that it starts, on behalf of a caller."""
    caller = Caller(group, user)
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)


def blame(late: GatewayError) -> GatewayError:
    """Return the error for a caller's request ended by its deadline: `late`, or BusyError if no connection was free."""
    if current_caller().gave_up_waiting:
        return no_connection("No connection to Gemini was free in time")
    return late


BUSY_RETRY_S = 2.0


def no_connection(reason: str) -> BusyError:
    """Return the error for a call that got no connection."""
    return BusyError(f"{reason}; retry in {BUSY_RETRY_S:g} s.", retry_after_s=BUSY_RETRY_S)
