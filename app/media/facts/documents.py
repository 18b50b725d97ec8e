"""Page counts of PDFs: by pdfium from the whole file, from a linearized file's first object otherwise."""

import re
import threading

import pypdfium2

_LINEARIZED_WINDOW_BYTES = 1024
_LINEARIZED = re.compile(rb"<<[^<>]{0,400}/Linearized\b[^<>]{0,400}>>")
_COUNT = re.compile(rb"/N\s+(\d{1,7})\b")

# pdfium keeps its state in globals: two threads inside it crash the process.
_pdfium_lock = threading.Lock()


def page_count(data: bytes) -> int | None:
    """Count the pages of a whole PDF; None when it cannot be read, or not without a password."""
    with _pdfium_lock:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError:
            return None
        try:
            return len(document) or None
        finally:
            document.close()


def linearized_page_count(head: bytes) -> int | None:
    """Read the page count that a linearized PDF states in its first object; None for any other head."""
    dictionary = _LINEARIZED.search(head, 0, _LINEARIZED_WINDOW_BYTES)
    count = _COUNT.search(dictionary[0]) if dictionary is not None else None
    return int(count[1]) or None if count is not None else None
