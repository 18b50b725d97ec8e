"""The access rules of the REST routes: declared beside each route, and found by the router's own matching.

    @router.post("/generate")
    @needs(Scope.GENERATE, asks_model=True)
    async def generate(...)

A route without a rule fails at start, and a path without a route in the table is a 404 before FastAPI is asked.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Scope as AsgiScope

from app.clients.identity import Scope
from app.request.operation import ANY_CLIENT, PUBLIC, Access, Operation, Target

_LONGEST_CACHED_PATH = 200
E = TypeVar("E", bound=Callable[..., object])


def _declare(access: Access) -> Callable[[E], E]:
    def mark(endpoint: E) -> E:
        vars(endpoint)["access"] = access
        return endpoint

    return mark


def needs(scope: Scope, *, asks_model: bool = False) -> Callable[[E], E]:
    """Declare that an endpoint needs a client with a scope, and whether it may ask a model."""
    return _declare(Access(scope, asks_model=asks_model))


def for_any_client(endpoint: E) -> E:
    """Declare that an endpoint needs a client, whatever its scopes."""
    return _declare(ANY_CLIENT)(endpoint)


def public(endpoint: E) -> E:
    """Declare that an endpoint needs no credential."""
    return _declare(PUBLIC)(endpoint)


class RestOperations:
    """The operations of the REST surface, in the order in which the router tries them.

    Raises TypeError for a route that declares no access rule, and for a kind of route that it cannot judge.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = [(route, _operation_of(route)) for route in routes]
        self._cached = lru_cache(maxsize=1_024)(self._find)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Return all operations."""
        return tuple(operation for _, operation in self._routes)

    def find(self, scope: AsgiScope) -> Target | None:
        """Return the target of a request, None if no route has its path."""
        if scope["type"] != "http":
            return None
        path, root_path = scope["path"], scope.get("root_path", "")
        # Only short paths are cached, so that clients cannot fill the memory.
        find = self._cached if len(path) <= _LONGEST_CACHED_PATH else self._find
        return find(scope["method"], path, root_path)

    def _find(self, method: str, path: str, root_path: str) -> Target | None:
        method = read_method(method)
        scope = {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": []}
        others: list[tuple[BaseRoute, Operation]] = []
        for route, operation in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return Target(operation, operation.access, is_rest=True)
            if match is Match.PARTIAL:
                others.append((route, operation))
        if not others:
            return None
        access = PUBLIC if others[0][1].access.is_public else ANY_CLIENT
        return Target(None, access, is_rest=True, methods=frozenset().union(*(_methods(route) for route, _ in others)))


def read_method(method: str) -> str:
    """Return the method that routes a request: HEAD is answered wherever GET is, without a body (RFC 9110, 9.3.2)."""
    return "GET" if method == "HEAD" else method


def _methods(route: BaseRoute) -> frozenset[str]:
    methods = frozenset(getattr(route, "methods", None) or ())
    return methods | {"HEAD"} if "GET" in methods else methods


def _operation_of(route: BaseRoute) -> Operation:
    if not isinstance(route, Route | Mount):
        raise TypeError(f"no access rule can be found for a {type(route).__name__}")
    access = getattr(route.app if isinstance(route, Mount) else route.endpoint, "access", None)
    if not isinstance(access, Access):
        raise TypeError(f"the route {route.path} declares no access rule")
    operation_id = route.operation_id if isinstance(route, APIRoute) else None
    return Operation(operation_id or route.name or route.path, route.path, access)
