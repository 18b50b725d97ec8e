"""A text that passes into a request: checked, and transcoded to UTF-8 while it is held.

held piece ──(UTF-8)──> the same bytes        ──(another charset)──> UTF-8
streamed piece ──> checked alone; it must be UTF-8
"""

from app.media.text import ASCII, WAYS_OUT, TextCheck, is_passed
from app.media.types import UnsupportedTypeError

_OTHER_CHARSET = "Declare the charset that the text has, or save the text as UTF-8."
_TOO_LARGE = "A text that is too large to be held must be UTF-8: save it as UTF-8."


class PassingText:
    """One text in a charset. `has_changed` says that its bytes in UTF-8 differ from the bytes that were sent."""

    def __init__(self, charset: str) -> None:
        self.charset = charset
        self.is_transcoded = not is_passed(charset)
        self.has_changed = False
        self._has_ended = False
        self._check = TextCheck(charset, remedy=_OTHER_CHARSET if self.is_transcoded else WAYS_OUT)

    def hold(self, piece: bytes) -> bytes:
        """Return a held piece in UTF-8; raises `UnsupportedTypeError` for bytes that are not text in the charset."""
        if not self.is_transcoded:
            self.look(piece)
            return piece
        encoded = b"".join([text.encode() for text in self._check.decoded(piece)])
        self.has_changed = self.has_changed or encoded != piece
        return encoded

    def look(self, piece: bytes) -> None:
        """Check a piece that is not held; raises as `hold`."""
        self._check.feed(piece)

    def finish(self) -> None:
        """Check the end of the text; raises `UnsupportedTypeError` if it ends within a character."""
        self._has_ended = True
        self._check.finish()

    def end_holding(self) -> None:
        """Let the rest of the text be streamed; raises `UnsupportedTypeError` if its bytes have been changed."""
        if not self.is_transcoded or self._has_ended:
            return
        if self.has_changed:
            raise UnsupportedTypeError(f"The text is {self.charset.upper()}. {_TOO_LARGE}", None)
        # So far the text has the same bytes in both charsets.
        self.is_transcoded = False
        self._check = TextCheck(ASCII, remedy=_TOO_LARGE, start_byte=self._check.passed_bytes)


def whole_text(data: bytes, charset: str) -> bytes:
    """Return a whole text in UTF-8; raises `UnsupportedTypeError` if it is not text in `charset`."""
    text = PassingText(charset)
    held = text.hold(data)
    text.finish()
    return held
