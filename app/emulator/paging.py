"""The query parameters of every paged list."""

from collections.abc import Mapping

from app.emulator.failures import invalid


def page_of(query: Mapping[str, str], *, default: int, largest: int) -> tuple[int, str]:
    """Read page size and token, in either case; more than the largest size is the largest, 0 the default.

    Raises ApiFailureError when the size is no number or negative.
    """
    written = query.get("pageSize", query.get("page_size", ""))
    if written and not written.isdecimal():
        raise invalid(f"Invalid value at 'page_size' (TYPE_INT32), \"{written}\"")
    size = int(written) if written else 0
    return min(size or default, largest), query.get("pageToken", query.get("page_token", ""))
