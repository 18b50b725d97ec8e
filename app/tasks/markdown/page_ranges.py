"""Pages as a client names them ("1,3-7", from 1), merged and sorted into ranges. This module knows no document."""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_MAX_PAGE = 100_000
_MAX_PIECES = 1_000
_MAX_SHOWN_CHARS = 20
# ASCII digits only, since int() accepts digits of every script. Seven digits suffice to see that a number is too large.
_PIECE = re.compile(r"\s*0*([0-9]{1,7})\s*(?:-\s*0*([0-9]{1,7})\s*)?")


class PageRangeError(Exception):
    """The text names no valid pages of the document; the message gives the value and the allowed values."""


@dataclass(frozen=True, slots=True)
class PageRanges:
    """Ranges of page numbers from 1, both ends included, in order and not adjacent."""

    ranges: tuple[tuple[int, int], ...]

    def check(self, count: int) -> None:
        """Raise PageRangeError if any page is after the `count` pages of a document."""
        for start, end in self.ranges:
            if end > count:
                pages = "1 page" if count == 1 else f"{count} pages"
                raise PageRangeError(f"the document has {pages}, and no page {max(start, count + 1)}")

    @property
    def first(self) -> int:
        """Return the first page. Raises IndexError if there are no pages."""
        return self.ranges[0][0]

    @property
    def last(self) -> int:
        """Return the last page. Raises IndexError if there are no pages."""
        return self.ranges[-1][1]

    def after(self, page: int) -> int | None:
        """Return the first of these pages after `page`, or None."""
        at = bisect_right(self.ranges, page, key=_start)
        if at > 0 and page < self.ranges[at - 1][1]:
            return page + 1
        return self.ranges[at][0] if at < len(self.ranges) else None

    def without(self, pages: Collection[int]) -> "PageRanges":
        """Return the pages that are not among `pages`; the work is linear in the number of these pages."""
        return PageRanges(_merged((page, page) for page in self if page not in pages))

    def __contains__(self, page: int) -> bool:
        at = bisect_right(self.ranges, page, key=_start)
        return at > 0 and page <= self.ranges[at - 1][1]

    def __iter__(self) -> Iterator[int]:
        return (page for start, end in self.ranges for page in range(start, end + 1))

    def __len__(self) -> int:
        return sum(end - start + 1 for start, end in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in self.ranges)


def read_pages(text: str) -> PageRanges:
    """Return the pages of a text such as "1, 3-7": at least one, at most 1000 numbers or ranges, from 1 to 100,000.

    Raises PageRangeError.
    """
    pieces = text.split(",", _MAX_PIECES)
    if len(pieces) > _MAX_PIECES:
        raise PageRangeError(f"there are more than {_MAX_PIECES} pages or ranges; name fewer")
    return PageRanges(_merged(sorted(_read_piece(piece) for piece in pieces)))


def _read_piece(piece: str) -> tuple[int, int]:
    found = _PIECE.fullmatch(piece)
    if found is None:
        raise PageRangeError(f'{_shown(piece)} is neither a page nor a range of pages such as "3-7"')
    start, end = int(found[1]), int(found[2] or found[1])
    if start < 1 or max(start, end) > _MAX_PAGE:
        raise PageRangeError(f"{_shown(piece)} lies outside of 1 to {_MAX_PAGE}; pages count from 1")
    if end < start:
        raise PageRangeError(f'{_shown(piece)} ends before it begins; write "{end}-{start}"')
    return start, end


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join ranges that overlap or touch; the ranges are sorted by their starts."""
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def _start(pages: tuple[int, int]) -> int:
    return pages[0]


def _shown(piece: str) -> str:
    piece = piece.strip()
    if not piece:
        return "an empty piece"
    return f'"{piece[:_MAX_SHOWN_CHARS]}{"..." if len(piece) > _MAX_SHOWN_CHARS else ""}"'
