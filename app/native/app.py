"""The relayed surfaces as one ASGI application: finds the operation of a request and calls who serves it.

    raw path ──> route ──> call (client, usage) ──> handler ──> Gemini's answer, as it came

What a handler raises before its answer begins is rendered outside, in the shape of the surface.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.edge.hangup import until_hangup
from app.errors import Surface, surface_of
from app.native.routes import route_of
from app.native.services import Call, NativeServices, call_of

Handler = Callable[[Scope, Receive, Send, Call], Awaitable[None]]


class NativeRoutes:
    """ASGI: serves Google's own paths, and passes everything else on to the application.

    `services` gives what the lifespan has opened; `handlers` are found by an operation's id. `elsewhere` are paths,
    by how they go on behind the version, that look like Google's and are the application's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        services: Callable[[], NativeServices],
        handlers: Mapping[str, Handler],
        *,
        elsewhere: tuple[str, ...],
    ) -> None:
        self._app = app
        self._services = services
        self._handlers = handlers
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or pass on."""
        if scope["type"] not in {"http", "websocket"} or not self._is_native(scope["path"]):
            await self._app(scope, receive, send)
            return
        services = self._services()
        method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
        path = scope.get("raw_path") or scope["path"].encode()
        route = route_of(method, path.decode("latin-1"), services.settings.native_resources)
        scope["route"] = route.operation
        handler = self._handlers[route.operation.operation_id]
        call = call_of(services, route, scope)
        async with until_hangup(scope):
            if services.metering.is_on and route.operation.may_ask:
                # Before the body is asked for: who is refused need not send it.
                ticket = await services.metering.enter(call.usage)
                try:
                    await handler(scope, receive, send, call)
                finally:
                    ticket.release()
            else:
                await handler(scope, receive, send, call)

    def _is_native(self, path: str) -> bool:
        if surface_of(path) is Surface.REST:
            return False
        rest = path.lstrip("/").partition("/")[2]
        return not rest.startswith(self._elsewhere)
