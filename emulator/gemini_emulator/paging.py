"""The query parameters of every paged list, and its pages."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from gemini_emulator.failures import invalid

T = TypeVar("T")


def page_of(query: Mapping[str, str], *, default: int, largest: int) -> tuple[int, str]:
    """Read page size and token, in either case; more than the largest size is the largest, 0 the default.

    Raises ApiFailureError when the size is no number or negative.
    """
    written = query.get("pageSize", query.get("page_size", ""))
    if written and not written.isdecimal():
        raise invalid(f"Invalid value at 'page_size' (TYPE_INT32), \"{written}\"")
    size = int(written) if written else 0
    return min(size or default, largest), query.get("pageToken", query.get("page_token", ""))


def slice_of(items: Sequence[T], size: int, token: str, *, number: Callable[[T], int]) -> tuple[list[T], str]:
    """Return a page of items, newest first, and the token of the next page or "".

    Args:
        items: all items, oldest first.
        size: the largest number of items on the page.
        token: the token from the page before, "" for the first page.
        number: returns an item's number, which grows from item to item.

    Raises ApiFailureError for an invalid token.

    """
    before: float = math.inf
    if token:
        try:
            before = int(base64.urlsafe_b64decode(token))
        except (binascii.Error, ValueError) as error:
            raise invalid("* page_token: the page token is not valid.") from error
    older = [item for item in reversed(items) if number(item) < before]
    page = older[:size]
    return page, base64.urlsafe_b64encode(b"%d" % number(page[-1])).decode() if len(older) > size else ""
