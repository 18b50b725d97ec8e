"""Text: charsets, and a check of text that passes in pieces.

Text goes to Gemini byte for byte, also if its declared charset is not UTF-8, so that the sizes and digests of the
client, of the registry and of the upload agree. The check promises only that the bytes are text in that charset. This
module knows no MIME types except the `charset` parameter.
"""

import codecs
import re
from collections.abc import Mapping
from encodings import normalize_encoding
from encodings.aliases import aliases
from types import MappingProxyType

from app.media.types import UnsupportedTypeError, parameters_of

UTF_8 = "utf-8"

# Bytes decoded at a time, so that a large piece does not exist twice in memory.
_SLICE_BYTES = 65_536

# Python's registry also holds codecs that are not charsets (rot13, zlib, idna), so only these families are accepted.
_NAMES = """
    ascii utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be
    iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10
    iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp850 cp852 cp866 cp874
    koi8-r koi8-u mac-roman mac-cyrillic
    shift_jis cp932 euc_jp iso2022_jp gb2312 gbk gb18030 big5 big5hkscs euc_kr cp949 iso2022_kr johab
"""


def _charset_of_module(codec: str) -> str | None:
    try:
        name = codecs.lookup(codec).name
    except LookupError:
        # Codecs of Windows alone.
        return None
    return name if name in _CHARSETS else None


_CHARSETS = frozenset(codecs.lookup(name).name for name in _NAMES.split())
# Python remembers every name that `codecs.lookup` was asked for, known or not: clients' words are looked up here.
_LABELS: Mapping[str, str] = MappingProxyType(
    {normalize_encoding(name).lower(): codecs.lookup(name).name for name in (*_CHARSETS, *_NAMES.split())}
    | {alias: name for alias, codec in aliases.items() if (name := _charset_of_module(codec)) is not None}
)

# Control characters except white space, backspace and escape, which occur in terminal logs.
_BINARY_CONTROLS = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f]")


def codec_named(label: str) -> str | None:
    """Return the name of the codec of a charset's label; None if the label is unknown."""
    is_plain = label.isascii() and label.isprintable()
    return _LABELS.get(normalize_encoding(label).lower()) if is_plain else None


def charset_of(declared: str | None) -> str:
    """Return the codec name of a Content-Type's `charset` parameter; `utf-8` without one.

    Raises `UnsupportedTypeError` for an unknown charset.
    """
    label = parameters_of(declared).get("charset", "")
    if not label:
        return UTF_8
    name = codec_named(label)
    if name is None:
        raise UnsupportedTypeError(f"The declared charset {label[:40]!r} is unknown; send UTF-8.", declared)
    # ASCII is often declared for UTF-8 text, and UTF-8 contains ASCII.
    return UTF_8 if name == "ascii" else name


def looks_like_text(head: bytes, charset: str, *, is_whole: bool, allows_controls: bool) -> bool:
    """Whether the first bytes of a file are text in `charset`: they decode and contain no NUL.

    A character cut at the end of an incomplete head is accepted. Without `allows_controls`, for bytes that were not
    declared as text, control characters count against text.
    """
    decoder = codecs.getincrementaldecoder(charset)("strict")
    try:
        text = decoder.decode(head, is_whole)
    except ValueError:
        return False
    if allows_controls:
        return "\0" not in text
    return _BINARY_CONTROLS.search(text) is None


class TextCheck:
    """Checks text that passes in pieces, in constant memory, for about 1 ms per megabyte."""

    def __init__(self, charset: str = UTF_8) -> None:
        self._charset = charset
        self._decoder = codecs.getincrementaldecoder(charset)("strict")
        self._passed_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Check the next piece; raises `UnsupportedTypeError` at a NUL or at bytes that are not text."""
        for start in range(0, len(piece), _SLICE_BYTES):
            self._check(piece[start : start + _SLICE_BYTES], is_last=False)

    def finish(self) -> None:
        """Check the end of the text; raises `UnsupportedTypeError` if it ends within a character."""
        self._check(b"", is_last=True)

    def _check(self, piece: bytes, *, is_last: bool) -> None:
        try:
            text = self._decoder.decode(piece, is_last)
        except ValueError:
            raise self._refusal(f"bytes that are not {self._charset}") from None
        self._passed_bytes += len(piece)
        if "\0" in text:
            raise self._refusal("a NUL character")

    def _refusal(self, what: str) -> UnsupportedTypeError:
        return UnsupportedTypeError(
            f"The file begins as text but contains {what} near byte {self._passed_bytes}.", None
        )
