"""Which requests of the REST surface may ask a model: they are let in, or refused, before their body is asked for."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounting.metering import Meter, Metering
from app.api.authentication import needed
from app.clients.identity import LOCAL
from app.clients.identity import Scope as Permission

ASKING = frozenset({Permission.GENERATE, Permission.TASKS})


class RestEntrance:
    """ASGI: lets requests in that may ask a model, and passes everything else on; `metering` is the lifespan's."""

    def __init__(self, app: ASGIApp, metering: Callable[[], Metering]) -> None:
        self._app = app
        self._metering = metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the client's limits. Raises what `Metering.entered` raises."""
        if scope["type"] != "http" or scope["method"] != "POST" or needed(scope["path"]) not in ASKING:
            await self._app(scope, receive, send)
            return
        meter = scope["gateway.meter"] = Meter(scope.get("gateway.client", LOCAL))
        async with self._metering().entered(meter):
            await self._app(scope, receive, send)
