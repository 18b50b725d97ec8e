"""The headers of a request, as in the ASGI scope: names in lower case, values unchanged."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope


def header(scope: "Scope", name: bytes) -> bytes:
    """Return the value of the first header of this name (lower case), or an empty value."""
    value: bytes
    for given, value in scope["headers"]:
        if given == name:
            return value
    return b""
