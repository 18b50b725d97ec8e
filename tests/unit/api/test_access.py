"""The access rules of routes: none may be missing, and each path has the rule of the route that serves it."""

import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Host, Mount, Route
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from app.api.access import RestOperations, for_any_client, needs, public
from app.clients.identity import Scope
from app.request.operation import ANY_CLIENT, PUBLIC, Access


async def served(scope: AsgiScope, receive: Receive, send: Send) -> None:
    await Response()(scope, receive, send)


def router() -> APIRouter:
    made = APIRouter(prefix="/api")

    @made.post("/asked", operation_id="ask")
    @needs(Scope.GENERATE, asks_model=True)
    async def asked(request: Request) -> Response:
        return Response()

    @made.get("/items/{item:path}")
    @for_any_client
    async def item(item: str) -> Response:
        return Response()

    @made.get("/page")
    @public
    async def page() -> Response:
        return Response()

    return made


def access(method: str, path: str) -> Access | None:
    target = RestOperations(router().routes).find({"type": "http", "method": method, "path": path})
    return None if target is None else target.access


def test_a_route_has_the_rule_that_its_endpoint_declares() -> None:
    assert access("POST", "/api/asked") == Access(Scope.GENERATE, asks_model=True)
    assert access("GET", "/api/items/a/b") == ANY_CLIENT
    assert access("GET", "/api/page") == PUBLIC


def test_a_method_that_a_path_lacks_needs_a_credential_and_takes_no_rate() -> None:
    target = RestOperations(router().routes).find({"type": "http", "method": "GET", "path": "/api/asked"})

    assert target is not None
    assert (target.operation, target.access) == (None, ANY_CLIENT)


def test_a_method_that_a_public_path_lacks_is_public() -> None:
    assert access("POST", "/api/page") == PUBLIC


@pytest.mark.parametrize("path", ["/api/asked/", "/api//asked", "/api/ASKED", "/api/asked;a", "/asked"])
def test_another_spelling_of_a_path_is_no_route(path: str) -> None:
    assert access("POST", path) is None


def test_a_handshake_is_no_request_of_the_rest_surface() -> None:
    assert RestOperations(router().routes).find({"type": "websocket", "path": "/api/asked"}) is None


@pytest.mark.parametrize(
    "route", [Route("/x", served), Mount("/x", served), Host("x", served)], ids=["route", "mount", "host"]
)
def test_a_route_without_a_rule_fails_at_start(route: BaseRoute) -> None:
    with pytest.raises(TypeError):
        RestOperations([route])
