"""Admission of REST requests that may ask a model: admitted or refused before their body is read."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounting.metering import Metering
from app.api.authentication import NEEDED_BELOW, OPENAI_AUDIO
from app.clients.identity import Scope as Permission
from app.request.context import usage_of

_ASKING = frozenset({Permission.GENERATE, Permission.TASKS})
ASKING_BELOW = (*(prefix for prefix, permission in NEEDED_BELOW if permission in _ASKING), *OPENAI_AUDIO)


class RestEntrance:
    """ASGI: admits requests that may ask a model, and passes every other request on; `metering` is the lifespan's."""

    def __init__(self, app: ASGIApp, metering: Callable[[], Metering]) -> None:
        self._app = app
        self._metering = metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the client's limits. Raises the errors of `Metering.enter`."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(ASKING_BELOW):
            await self._app(scope, receive, send)
            return
        ticket = await self._metering().enter(usage_of(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            ticket.release()
