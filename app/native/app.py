"""The relayed surfaces as one ASGI application: finds the operation of a request and calls its handler.

    raw path ──> route ──> call (client, usage) ──> handler ──> Gemini's answer, unchanged

An error raised before the answer begins is rendered outside, in the shape of the surface.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.edge.hangup import until_hangup
from app.errors import Surface, UpstreamTimeoutError, surface_of
from app.native.routes import method_and_path, route_of
from app.native.services import NativeCall, NativeServices, call_of
from app.native.stream_end import RelayedStream
from app.request.context import context_of

Handler = Callable[[Scope, Receive, Send, NativeCall], Awaitable[None]]


class NativeRoutes:
    """ASGI: serves Google's own paths, and passes everything else on to the application.

    `services` returns the services that the lifespan has opened; `handlers` are found by an operation's id.
    """

    def __init__(
        self,
        app: ASGIApp,
        services: Callable[[], NativeServices],
        handlers: Mapping[str, Handler],
    ) -> None:
        self._app = app
        self._services = services
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a relayed request, or pass any other to the application.

        Raises the errors of `route_of` and of the operation's handler.
        """
        if scope["type"] not in {"http", "websocket"} or _is_elsewhere(scope):
            await self._app(scope, receive, send)
            return
        services = self._services()
        route = route_of(*method_and_path(scope), services.settings.native_resources)
        handler = self._handlers[route.operation.operation_id]
        stream = RelayedStream(scope, send)
        try:
            async with until_hangup(scope):
                await handler(scope, receive, stream.send, call_of(services, route, scope))
        except UpstreamTimeoutError as error:
            if not await stream.end_with(error):
                raise


def _is_elsewhere(scope: Scope) -> bool:
    # OpenAI's audio paths are tasks of the REST application.
    return context_of(scope).target.is_rest or surface_of(scope["path"]) is Surface.REST
