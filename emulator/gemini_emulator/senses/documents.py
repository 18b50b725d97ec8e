"""The text of a PDF, page by page. Knows nothing of other formats, prompts and answers."""

from threading import Lock

import pypdfium2

from gemini_emulator.senses.unreadable import UnreadableMediaError

# PDFium may be used by one thread at a time in the whole process.
_pdfium = Lock()


def read_pdf(data: bytes) -> tuple[str, ...]:
    """Read the text of each page, lines ended by a line feed; a page without text is an empty string.

    Raises:
        UnreadableMediaError: when it is no PDF, is cut short, or is locked by a password.

    """
    with _pdfium:
        try:
            with pypdfium2.PdfDocument(data) as document:
                return tuple(_text_of(document, number) for number in range(len(document)))
        except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
            raise UnreadableMediaError(str(error)) from error


def count_pages(data: bytes) -> int:
    """Count the pages without reading them.

    Raises:
        UnreadableMediaError: as `read_pdf`.

    """
    with _pdfium:
        try:
            with pypdfium2.PdfDocument(data) as document:
                return len(document)
        except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
            raise UnreadableMediaError(str(error)) from error


def _text_of(document: pypdfium2.PdfDocument, number: int) -> str:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            return str(text_page.get_text_bounded()).replace("\r\n", "\n")
        finally:
            text_page.close()
    finally:
        page.close()
