"""The connection below a request, so that the emulator can close it: ASGI has no word for that."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "emulator.transport"


@runtime_checkable
class Transport(Protocol):
    """A connection that can be closed."""

    def close(self) -> None:
        """Send the buffered bytes, then close."""

    def abort(self) -> None:
        """Close at once."""


class WithTransport:
    """Middleware directly above uvicorn: puts the connection into the scope, before other middleware wraps `send`."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on."""
        # Under uvicorn, `send` is a method of the object that holds the connection.
        scope[_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)


def transport_of(scope: "Scope") -> Transport:
    """Return the connection of a request. Raises TypeError if a server other than `server.py`'s serves it."""
    transport = scope.get(_KEY)
    if not isinstance(transport, Transport):
        raise TypeError("the emulator can cut connections only if emulator_server_config serves it")
    return transport
