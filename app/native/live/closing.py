"""The end of a Live session: codes and reasons of a close, for either side.

Gemini's reasons are masked, and a refusal of the gateway's own key becomes an internal error with a neutral reason.
This module knows no socket.
"""

from dataclasses import dataclass

from app.errors import BodyTooLargeError, GatewayError
from app.gemini.masking import Masking
from app.gemini.refusals import KEY_REFUSED, speaks_of_the_key

NORMAL, POLICY_VIOLATION, TOO_LARGE, INTERNAL_ERROR = 1000, 1008, 1009, 1011
MAX_REASON_BYTES = 123
"""A close frame has 125 bytes, two of them its code (RFC 6455, 5.5)."""
# The codes that a frame may carry (RFC 6455, 7.4); 1005 stands for a close without a code.
_SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
_NO_CODE = 1005


@dataclass(frozen=True, slots=True)
class Closing:
    """A close: a code that may be sent, and a reason that fits."""

    code: int
    reason: str = ""

    @classmethod
    def of(cls, code: int | None, reason: str | None) -> "Closing":
        """Return the close for a code and reason received from one side; an unsendable code is replaced."""
        if code is None or code == _NO_CODE:
            code = NORMAL
        return cls(code if code in _SENDABLE else INTERNAL_ERROR, cut(reason or ""))

    @classmethod
    def of_error(cls, error: GatewayError) -> "Closing":
        """Return the close for an error: 1011 for a fault of the gateway or Gemini, 1009 for size, else 1008."""
        if error.status >= 500:
            return cls(INTERNAL_ERROR, cut(error.detail))
        return cls(TOO_LARGE if isinstance(error, BodyTooLargeError) else POLICY_VIOLATION, cut(error.detail))

    @classmethod
    def of_gemini(cls, code: int | None, reason: str | None, masking: Masking) -> "Closing":
        """Return the close to send to the client after Gemini's close."""
        if reason and speaks_of_the_key(reason):
            return cls(INTERNAL_ERROR, KEY_REFUSED)
        return cls.of(code, masking.text(reason or ""))


def cut(reason: str) -> str:
    """Return the beginning of a reason that fits into a close frame."""
    return reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode(errors="ignore")
