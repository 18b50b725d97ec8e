"""Says on whose behalf each request asks Gemini, so that its connections are shared fairly between clients.

It knows no connection: `gemini` shares them out by the opaque keys that are set here.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.clients.identity import unit_of
from app.gemini.caller import on_behalf_of
from app.request.context import context_of


class FairShares:
    """ASGI middleware behind the authentication: the request's client is the caller of its calls to Gemini."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request on behalf of its client, if authentication has decided on a client."""
        usage = None if scope["type"] == "lifespan" else context_of(scope).usage
        if usage is None:
            await self._app(scope, receive, send)
            return
        group, user = unit_of(usage.client)
        with on_behalf_of(group, user):
            await self._app(scope, receive, send)
