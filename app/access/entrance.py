"""The rate of requests, on every surface: a request that may ask a model is counted before its body is read."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounting.metering import Metering
from app.request.context import context_of, usage_of


class Entrance:
    """ASGI middleware behind authentication; `metering` returns the metering that the lifespan has opened."""

    def __init__(self, app: ASGIApp, metering: Callable[[], Metering]) -> None:
        self._app = app
        self._metering = metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the client's limits. Raises what `Metering.enter` raises."""
        operation = None if scope["type"] == "lifespan" else context_of(scope).target.operation
        if operation is None or not operation.access.asks_model:
            await self._app(scope, receive, send)
            return
        ticket = await self._metering().enter(usage_of(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            ticket.release()
