"""A request's headers, as the server gives them: names in lower case, values as they came."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope


def header(scope: "Scope", name: bytes) -> bytes:
    """Give the first header of this name (lower case); empty when there is none."""
    value: bytes
    for given, value in scope["headers"]:
        if given == name:
            return value
    return b""
