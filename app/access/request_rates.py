"""The rate of requests, on every surface: a request that may run a model is counted before its body is read."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounting.metering import Metering
from app.request.context import context_of, usage_of


class RequestRates:
    """ASGI middleware inside authentication. `metering` returns the metering opened by the lifespan."""

    def __init__(self, app: ASGIApp, metering: Callable[[], Metering]) -> None:
        self._app = app
        self._metering = metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the client's limits. Raises the errors of `Metering.enter`, such as RateLimitedError."""
        operation = None if scope["type"] == "lifespan" else context_of(scope).target.operation
        if operation is None or not operation.access.asks_model:
            await self._app(scope, receive, send)
            return
        ticket = await self._metering().enter(usage_of(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            ticket.release()
