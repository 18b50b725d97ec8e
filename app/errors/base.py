"""The base of all errors, and the classes that only serve to catch a kind of error: these have no code of their own.

An error is raised deep and rendered once. No message may contain a key, a token or the content of a prompt. This module
knows no framework and no surface.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error in one field: its path, the value received, the allowed values, and the remedy."""

    field: str
    message: str
    received: str | None = None
    allowed: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamSaid:
    """Gemini's own answer behind an error: HTTP status, its status word, its message."""

    status: int
    code: str
    message: str


class GatewayError(Exception):
    """The base of all errors.

    `detail` gives the value received, the allowed values and the remedy. `retry_after_s` is the wait after which a
    repeat may succeed, if known.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The gateway failed"
    advice: ClassVar[str] = "Try again; if the error returns, tell the operator the `request_id`."
    is_retryable: ClassVar[bool] = False
    # The status on Google's surface, if Gemini itself uses another status than our REST surface.
    google_status: ClassVar[int | None] = None
    # Google's status word, if it differs from the word of the HTTP status.
    google_word: ClassVar[str | None] = None

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: float | None = None,
        upstream: UpstreamSaid | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.upstream = upstream
        self.headers = dict(headers or {})

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later, unchanged."""
        return self.is_retryable or self.retry_after_s is not None


class UpstreamRefusedError(GatewayError):
    """Gemini refused the request before a model worked on it, so that the call costs nothing."""


class UpstreamUnfinishedError(GatewayError):
    """Gemini gave no whole answer, though a model may have worked: the call may cost."""


class DependencyUnavailableError(GatewayError):
    """A service of the operator's that the gateway needs is unavailable; the request itself may be right."""
