"""The media types that a client accepts, as far as they decide the form of the answer."""

from functools import lru_cache

from starlette.requests import Request

from app.edge.headers import header


def named(request: Request) -> frozenset[str]:
    """Return the media ranges of Accept in lower case, without excluded ranges (q=0)."""
    return _named(header(request.scope, b"accept")[:1_000])


@lru_cache(maxsize=256)
def _named(accept: bytes) -> frozenset[str]:
    ranges = set()
    for item in accept.decode("latin-1").lower().split(","):
        media_range, *parameters = (piece.strip() for piece in item.split(";"))
        if not any(name.strip() == "q" and not value.strip(" 0.") for name, _, value in map(_parted, parameters)):
            ranges.add(media_range)
    return frozenset(ranges)


def _parted(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")
