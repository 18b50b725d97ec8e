"""The surface of a request, which decides the format of its errors, by the request's path alone."""

from enum import Enum
from functools import lru_cache


class Surface(Enum):
    """The surface of a request; it decides the format of an error."""

    REST = "rest"
    GOOGLE = "google"
    INTERACTIONS = "interactions"
    OPENAI = "openai"


def surface_of(path: str) -> Surface:
    """Return the surface for a request's path.

    Google's own paths begin with its API versions, `upload`, `download` and `ws`; OpenAI's also with `openai/v1`.
    """
    # Only short paths are cached, so that clients cannot fill the memory.
    return _remembered_surface_of(path) if len(path) <= _LONGEST_REMEMBERED else _surface_of(path)


_LONGEST_REMEMBERED = 200


def _surface_of(path: str) -> Surface:
    first, _, rest = path.lstrip("/").partition("/")
    if first == "openai" and rest.partition("/")[0] == "v1":
        return Surface.OPENAI
    if first in {"v1", "v1beta", "v1alpha"}:
        name = rest.partition("/")[0]
        return {"openai": Surface.OPENAI, "interactions": Surface.INTERACTIONS}.get(name, Surface.GOOGLE)
    return Surface.GOOGLE if first in {"upload", "download", "ws"} else Surface.REST


_remembered_surface_of = lru_cache(maxsize=1_024)(_surface_of)
