"""A shorter route to the busiest operations.

FastAPI documents these operations and could route them, but its stack costs as much as reading a small form. Errors of
the endpoints are rendered outside, as for every other route.
"""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]
OPERATIONS = frozenset({"generate", "chat"})


class DirectRoutes:
    """ASGI: calls the endpoints of `OPERATIONS`, and passes every other request on to the application."""

    def __init__(self, app: FastAPI, *routers: APIRouter) -> None:
        self._app = app
        found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        self._routes: Mapping[str, APIRoute] = {
            route.path: route for route in found if route.operation_id in OPERATIONS
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        scope["route"] = route
        endpoint: Endpoint = route.endpoint
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
