"""Pages as a client names them: "1,3-7", from 1; merged, sorted, and held as ranges, however they were written.

It knows no document: whether a page exists is asked with the document's count.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_MAX_PAGE = 100_000
_MAX_PIECES = 1_000
_MAX_SHOWN_CHARS = 20
# ASCII digits only: int() takes those of every script. Seven digits are enough to see that a number is too large.
_PIECE = re.compile(r"\s*0*([0-9]{1,7})\s*(?:-\s*0*([0-9]{1,7})\s*)?")


class PageRangeError(Exception):
    """Pages that are none, or that the document has not; the message names what came and what is allowed."""


@dataclass(frozen=True, slots=True)
class PageRanges:
    """Pages as ranges of page numbers from 1, both ends included; in order, apart from each other."""

    ranges: tuple[tuple[int, int], ...]

    def check(self, count: int) -> None:
        """Raise PageRangeError when any page lies behind the `count` pages of a document."""
        for start, end in self.ranges:
            if end > count:
                pages = "1 page" if count == 1 else f"{count} pages"
                raise PageRangeError(f"the document has {pages}, and no page {max(start, count + 1)}")

    @property
    def first(self) -> int:
        """The first page. Raises IndexError when there is none."""
        return self.ranges[0][0]

    @property
    def last(self) -> int:
        """The last page. Raises IndexError when there is none."""
        return self.ranges[-1][1]

    def after(self, page: int) -> int | None:
        """Give the first of these pages that lies behind `page`; None when none does."""
        at = bisect_right(self.ranges, page, key=_start)
        if at > 0 and page < self.ranges[at - 1][1]:
            return page + 1
        return self.ranges[at][0] if at < len(self.ranges) else None

    def without(self, pages: Collection[int]) -> "PageRanges":
        """Give the pages that are not among `pages`; there may be none. Linear in the number of its own pages."""
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
    """Read pages such as "1, 3-7": numbers from 1 to 100 000 and ranges of them, at most 1000, at least one.

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
    """Join ranges, sorted by their starts, that overlap or touch."""
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
