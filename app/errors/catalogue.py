"""The closed list of problem codes."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from app.errors import of_requests, of_services
from app.errors.base import GatewayError


def _kinds(module: ModuleType) -> Iterator[type[GatewayError]]:
    for kind in vars(module).values():
        # A class without a code of its own only serves to catch others.
        if isinstance(kind, type) and issubclass(kind, GatewayError) and "code" in vars(kind):
            yield kind


# Every problem code, by status: the list that `docs/errors.md` and `/problems/<code>` show.
PROBLEMS: Mapping[str, type[GatewayError]] = {
    kind.code: kind
    for kind in sorted(
        (kind for module in (of_requests, of_services) for kind in _kinds(module) if kind is not GatewayError),
        key=lambda kind: kind.status,
    )
}
