"""The characters of a text file. Knows encodings and nothing else."""

import codecs

from gemini_emulator.senses.unreadable import UnreadableMediaError

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def read_text(data: bytes, *, is_cut: bool = False) -> str:
    """Decode a text: UTF-8, UTF-16 with a byte order mark, else Latin-1.

    Args:
        data: the file, or its beginning.
        is_cut: whether it is a beginning, whose last character may be incomplete and is then left out.

    Raises:
        UnreadableMediaError: if the bytes contain zero bytes but are not UTF-16, and so are no text.

    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], encoding, is_cut=is_cut)
    if b"\x00" in data:
        raise UnreadableMediaError("zero bytes in a text")
    try:
        return _decode(data, "utf-8", is_cut=is_cut)
    except UnreadableMediaError:
        return data.decode("latin-1")


def _decode(data: bytes, encoding: str, *, is_cut: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(data, final=not is_cut)
    except UnicodeDecodeError as error:
        raise UnreadableMediaError(str(error)) from error
