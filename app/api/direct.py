"""The REST surface as one ASGI application, with a shorter way to the operations that carry the load.

FastAPI documents those operations and could route them too; its stack costs as much again as reading a small form.
Errors of their endpoints are rendered outside, as on the long way.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.access import read_method
from app.api.field_errors import MAX_SHOWN_CHARS, nearest
from app.errors import FieldError, InvalidFieldError, MethodNotAllowedError, NotFoundError
from app.request.context import context_of, parsed_query

Endpoint = Callable[[Request], Awaitable[Response]]
DIRECT = frozenset({"generate", "chat"})


class RestRoutes:
    """ASGI: calls the endpoints of `DIRECT` itself, and FastAPI for every other route that the request's target names.

    A path without a target is a 404 here, so that no route can be reached whose access rule was not judged.
    """

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter]) -> None:
        self._app = app
        found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        # Forms read their own query, since options may be in it. Pages and probes ignore the query.
        self._parameters = {
            route.operation_id: [field.alias for field in route.dependant.query_params]
            for route in found
            if route.path.startswith("/api/v1/") and not _takes_form(route)
        }
        self._endpoints: Mapping[str, Endpoint] = {
            route.operation_id: route.endpoint for route in found if route.operation_id in DIRECT
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on. Raises NotFoundError, and what the endpoint raises."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        target = context_of(scope).target
        if not target.is_rest:
            raise NotFoundError("There is nothing at this path; see /docs.")
        if target.operation is None:
            allow = ", ".join(sorted(target.methods))
            raise MethodNotAllowedError(
                f"{scope['method']} is not allowed here; allowed are {allow}.", headers={"Allow": allow}
            )
        self._check_query(scope, target.operation.operation_id)
        endpoint = self._endpoints.get(target.operation.operation_id)
        if endpoint is None:
            # The server leaves the body out, since its own scope goes on to say HEAD.
            await self._app({**scope, "method": read_method(scope["method"])}, receive, send)
            return
        # FastAPI sets this entry on its own routes; the endpoints find their services through it.
        scope["app"] = self._app
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _check_query(self, scope: Scope, operation_id: str) -> None:
        """Raise InvalidFieldError for a query parameter that an operation does not have."""
        known = self._parameters.get(operation_id)
        if known is None:
            return
        for name, _ in parsed_query(scope).without_credentials():
            if name not in known:
                shown = name[:MAX_SHOWN_CHARS]
                raise InvalidFieldError(
                    f"There is no query parameter {shown!r} here{nearest(name, known) or '.'}",
                    errors=(FieldError(shown, "unknown query parameter", allowed=", ".join(known) or None),),
                )


def _takes_form(route: APIRoute) -> bool:
    body = (route.openapi_extra or {}).get("requestBody", {})
    return "multipart/form-data" in body.get("content", {})
