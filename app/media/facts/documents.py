"""Page counts of PDFs: by pdfium from the whole file, otherwise from a linearized file's first object."""

import re
import threading
from contextlib import closing

import pypdfium2

_LINEARIZED_WINDOW_BYTES = 1024
_MAX_PDFIUM_BYTES = 65_536
_MAX_WAIT_S = 2.0
_LINEARIZED = re.compile(rb"<<[^<>]{0,400}/Linearized\b[^<>]{0,400}>>")
_COUNT = re.compile(rb"/N\s+(\d{1,7})\b")

# pdfium keeps its state in globals: two threads inside it would crash the process.
_pdfium_lock = threading.Lock()


def page_count(data: bytes) -> int | None:
    """Return the page count of a whole small PDF; None if it is unreadable, too large, or pdfium is busy."""
    # A malicious file can cost pdfium time that grows with the square of its size, and the call cannot be interrupted.
    if len(data) > _MAX_PDFIUM_BYTES or not _pdfium_lock.acquire(timeout=_MAX_WAIT_S):
        return None
    try:
        return count_pages(data)
    finally:
        _pdfium_lock.release()


def count_pages(data: bytes) -> int | None:
    """Return the page count of a whole PDF of any size; None if it is unreadable or encrypted."""
    # A malicious file sets the time and memory, so this function runs in a worker, where both are limited.
    try:
        with closing(pypdfium2.PdfDocument(data)) as document:
            return len(document) or None
    except pypdfium2.PdfiumError:
        return None


def linearized_page_count(head: bytes) -> int | None:
    """Return the page count that a linearized PDF states in its first object; None for any other head."""
    dictionary = _LINEARIZED.search(head, 0, _LINEARIZED_WINDOW_BYTES)
    count = _COUNT.search(dictionary[0]) if dictionary is not None else None
    return int(count[1]) or None if count is not None else None
