"""Text: charsets, and a check of text that passes in pieces.

UTF-8 goes to Gemini byte for byte, with its byte order mark if it has one. Text in another charset, which a byte order
mark or the client names, is transcoded (see `passing_text`). This module knows no MIME types except the `charset`
parameter.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from encodings import normalize_encoding
from encodings.aliases import aliases
from types import MappingProxyType

from app.media.types import UnsupportedTypeError, parameters_of

UTF_8 = "utf-8"
ASCII = "ascii"
# The charsets whose bytes go to Gemini as they are.
_PASSED = frozenset({UTF_8, "utf-8-sig", ASCII})
WAYS_OUT = (
    "Save the text as UTF-8, or declare its charset: in the part's type (text/csv; charset=windows-1252), or in the "
    "field 'charset' before the file."
)
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, UTF_8),
    # Before UTF-16, whose mark is the beginning of this mark.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

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
    name = _LABELS.get(normalize_encoding(label).lower()) if is_plain else None
    # ASCII is often declared for UTF-8 text, and UTF-8 contains ASCII.
    return UTF_8 if name == ASCII else name


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
    return name


def charset_of_mark(head: bytes) -> str | None:
    """Return the charset that a byte order mark proves, None without a mark."""
    return next((charset for mark, charset in _MARKS if head.startswith(mark)), None)


def is_passed(charset: str) -> bool:
    """Whether text in this charset goes to Gemini as it is."""
    return charset in _PASSED


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


def may_be_text(head: bytes) -> bool:
    """Whether bytes look like text in some charset: 8 bits a character, or 16 without a byte order mark."""
    has_wide_characters = head.count(0) * 3 >= len(head)
    letters = head.replace(b"\0", b"") if has_wide_characters else head
    return bool(letters) and _BINARY_CONTROLS.search(letters.decode("latin-1")) is None


def fault_of(head: bytes, charset: str, *, is_whole: bool) -> str:
    """Return the reason why bytes are not text in `charset`, with the position of the first wrong byte."""
    check = TextCheck(charset)
    try:
        check.feed(head)
        if is_whole:
            check.finish()
    except UnsupportedTypeError as error:
        return error.reason
    return "The file contains control characters that text does not have."


class TextCheck:
    """Checks text that passes in pieces, in constant memory, for about 1 ms per megabyte.

    `remedy` follows the refusals. `start_byte` is the position of the first byte in the file.
    """

    def __init__(self, charset: str = UTF_8, *, remedy: str = WAYS_OUT, start_byte: int = 0) -> None:
        self._charset = charset
        self._remedy = remedy
        self._decoder = codecs.getincrementaldecoder(charset)("strict")
        self._passed_bytes = start_byte

    @property
    def passed_bytes(self) -> int:
        """Return the position after the bytes that have passed."""
        return self._passed_bytes

    def feed(self, piece: bytes) -> None:
        """Check the next piece; raises `UnsupportedTypeError` at a NUL or at bytes that are not text."""
        for _ in self.decoded(piece):
            pass

    def finish(self) -> None:
        """Check the end of the text; raises `UnsupportedTypeError` if it ends within a character."""
        self._decode(b"", is_last=True)

    def decoded(self, piece: bytes) -> Iterator[str]:
        """Yield the text of the next piece; raises as `feed`."""
        for start in range(0, len(piece), _SLICE_BYTES):
            yield self._decode(piece[start : start + _SLICE_BYTES], is_last=False)

    def _decode(self, piece: bytes, *, is_last: bool) -> str:
        self._passed_bytes += len(piece)
        try:
            text = self._decoder.decode(piece, is_last)
        except UnicodeDecodeError as error:
            # The error counts from the bytes that earlier pieces left undecoded.
            at = self._passed_bytes - len(error.object) + error.start
            raise self._refusal(f"is not {self._charset.upper()} at byte {at}") from None
        except UnicodeError:
            raise self._refusal(f"is not {self._charset.upper()} near byte {self._passed_bytes - len(piece)}") from None
        if "\0" in text:
            raise self._refusal(f"contains a NUL character at byte {self._place_of_nul(text)}")
        return text

    def _place_of_nul(self, text: str) -> int:
        undecoded, _ = self._decoder.getstate()
        rest = text[text.index("\0") :]
        # Without the byte order, so that no mark is written.
        charset = f"{self._charset}-le" if self._charset in {"utf-16", "utf-32"} else self._charset
        return self._passed_bytes - len(undecoded) - len(rest.encode(charset, "replace"))

    def _refusal(self, what: str) -> UnsupportedTypeError:
        return UnsupportedTypeError(f"The text {what}. {self._remedy}", None)
