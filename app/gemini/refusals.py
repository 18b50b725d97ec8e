"""Reads Gemini's error answers, and chooses the client's error for each (REST contract, "Gemini's errors").

No message that is passed on carries a key, a project or an address (`masking`).
"""

import re
from dataclasses import dataclass
from typing import cast

import orjson
from google.genai import errors as sdk_errors

from app.errors import (
    BodyTooLargeError,
    FileNotFoundProblemError,
    FileNotReadyError,
    GatewayError,
    RateLimitedError,
    RejectedByModelError,
    UnknownModelError,
    UpstreamCredentialsError,
    UpstreamFailedError,
    UpstreamQuotaError,
    UpstreamRefusedError,
    UpstreamSaid,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from app.gemini.masking import without_private

MAX_MESSAGE_CHARS = 2_000
MAX_SCANNED_CHARS = 2 * MAX_MESSAGE_CHARS
MAX_CODE_CHARS = 60
DEFAULT_RETRY_S = 30.0
LONGEST_RETRY_S = 3_600.0
# proto3's JSON of a duration. Its largest has twelve digits.
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_NAMED_FILE = re.compile(r"\bFile (?:files/)?([a-z0-9][a-z0-9-]{0,39})\b")
_NAMED_OBJECT = re.compile(
    r"^CachedContent not found|\b(?:cachedContents|interactions|batches|operations|tunedModels|fileSearchStores)/[\w-]+"
)
# The prefixes of google.api.ErrorReason's words about the caller's key, project or service.
_OF_THE_KEY = (
    "API_KEY_",
    "SERVICE_DISABLED",
    "BILLING_",
    "CONSUMER_",
    "CREDENTIALS_",
    "ACCESS_TOKEN_",
    "ACCOUNT_STATE_",
    "USER_PROJECT_",
    "LOCATION_POLICY_",
)
KEY_REFUSED = "Gemini refuses the gateway's own credentials; tell the operator."
# Phrases of Google's messages about the key, the project or the region, for refusals without a status.
_KEY_PHRASE = re.compile(
    r"\bAPI[ _-]?keys?\b|unregistered callers|authentication credential|\bunauthenticated\b|\breferr?er\b"
    r"|requests to this API|caller does not have permission|consumer .*suspended|has not been used in project"
    r"|\bbilling (?:account|to be enabled)|user location is not supported",
    re.IGNORECASE,
)


def speaks_of_the_key(reason: str) -> bool:
    """Return whether a reason without a status, as of a WebSocket's close, is a refusal of the gateway's own key."""
    return any(word in reason for word in _OF_THE_KEY) or _KEY_PHRASE.search(reason) is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Gemini's error: HTTP status, status word, masked message, reasons, delay, and the object that it names."""

    status: int
    code: str
    message: str
    reasons: frozenset[str] = frozenset()
    retry_delay_s: float | None = None
    is_per_day: bool = False
    file_name: str | None = None
    names_object: bool = False

    @property
    def said(self) -> UpstreamSaid:
        """Return the part that is passed on to the client."""
        return UpstreamSaid(self.status, self.code, self.message)

    @property
    def is_of_the_key(self) -> bool:
        """Whether Gemini refuses the gateway's own credentials, and no object that the request names."""
        if any(reason.startswith(_OF_THE_KEY) for reason in self.reasons):
            return True
        is_denied = self.status == 401 or (self.status == 403 and not self.names_object)
        return is_denied or (self.code == "FAILED_PRECONDITION" and self.status == 400 and "ACTIVE" not in self.message)


class GeminiBusyError(UpstreamRefusedError, RateLimitedError):
    """Gemini's own 429, which a short wait helps."""


class GeminiTooLargeError(UpstreamRefusedError, BodyTooLargeError):
    """Gemini's own 413."""


class GeminiFailedError(UpstreamRefusedError, UpstreamFailedError):
    """Gemini's own 5xx, or a status without a better meaning."""


class GeminiTimeoutError(UpstreamRefusedError, UpstreamTimeoutError):
    """Gemini's own 504."""


class NamedFileError(UpstreamRefusedError, FileNotFoundProblemError):
    """Gemini does not know a file named in the request; `name` is the file's id at Gemini."""

    def __init__(self, name: str, refusal: Refusal) -> None:
        super().__init__("A file that the request names is not at Gemini any more: upload it again.")
        self.name = name
        self.refusal = refusal


def _objects(value: object) -> list[dict[str, object]]:
    return (
        [cast("dict[str, object]", item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(delay: object) -> float | None:
    match = _DURATION.fullmatch(_text(delay))
    return float(match[1]) if match else None


def _code(error: dict[str, object]) -> str:
    code = error.get("status") or error.get("code")
    return str(code)[:MAX_CODE_CHARS] if isinstance(code, str | int) else ""


def _without_secrets(message: str) -> str:
    # Gemini may quote a megabyte of the request. Half a secret would not be recognised, so the cut word is dropped.
    if len(message) > MAX_SCANNED_CHARS:
        head = message[:MAX_SCANNED_CHARS]
        message = head.rpartition(" ")[0] or head
    return without_private(message)[:MAX_MESSAGE_CHARS]


def read_refusal(status: int, body: bytes) -> Refusal:
    """Return the refusal in an answer: in Google's shape, alone or in an array, in Interactions' shape, or in none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return Refusal(status, "", "Gemini gave no reason.")
    details = _objects(error.get("details"))
    delays = [delay for item in details if (delay := _seconds(item.get("retryDelay"))) is not None]
    quota_ids = [_text(v.get("quotaId")) for item in details for v in _objects(item.get("violations"))]
    message = _text(error.get("message"))
    named = _NAMED_FILE.search(message)
    return Refusal(
        status=status,
        code=_code(error),
        message=_without_secrets(message),
        reasons=frozenset(_text(item["reason"]) for item in details if "reason" in item),
        retry_delay_s=delays[0] if delays else None,
        is_per_day=any("PerDay" in quota for quota in quota_ids),
        file_name=named[1] if named else None,
        names_object=named is not None or _NAMED_OBJECT.search(message) is not None,
    )


def error_of(refusal: Refusal, *, model: str | None = None) -> GatewayError:
    """Return the client's error for Gemini's refusal. `model` is the requested model, for the message."""
    if refusal.is_of_the_key:
        return UpstreamCredentialsError(KEY_REFUSED, upstream=refusal.said)
    if refusal.status >= 500:
        return _failure(refusal)
    if refusal.status == 400:
        return _bad_request(refusal)
    if refusal.status == 403 and refusal.file_name is not None:
        return NamedFileError(refusal.file_name, refusal)
    if refusal.status == 429:
        return _too_many(refusal)
    return _other(refusal, model)


def sdk_error(error: sdk_errors.APIError) -> GatewayError:
    """Return the gateway's error for an error that the SDK raised."""
    details = error.details
    body = details[0] if isinstance(details, list) and details else details
    inner = body.get("error", body) if isinstance(body, dict) else {}
    return error_of(read_refusal(error.code, orjson.dumps({"error": inner}, default=str)))


def _other(refusal: Refusal, model: str | None) -> GatewayError:
    said = refusal.said
    if refusal.status == 404 and model is not None:
        return UnknownModelError(
            f"Gemini has no model {model!r} that does this; GET /api/v1/models lists its models.", upstream=said
        )
    if refusal.status == 413:
        return GeminiTooLargeError("Gemini refuses a request of this size; upload the media first.", upstream=said)
    return GeminiFailedError(f"Gemini answered with status {refusal.status}.", upstream=said)


def _bad_request(refusal: Refusal) -> GatewayError:
    said = refusal.said
    if refusal.code == "FAILED_PRECONDITION":
        return FileNotReadyError(
            "Gemini is still processing a file of this request; retry in a moment.", retry_after_s=5, upstream=said
        )
    return RejectedByModelError(f"Gemini refuses the request: {refusal.message}", upstream=said)


def _too_many(refusal: Refusal) -> GatewayError:
    delay = DEFAULT_RETRY_S if refusal.retry_delay_s is None else refusal.retry_delay_s
    if refusal.is_per_day or delay > LONGEST_RETRY_S:
        return UpstreamQuotaError(
            "The project's daily quota at Gemini is used up; retry tomorrow.", upstream=refusal.said
        )
    return GeminiBusyError(
        f"Gemini is rate-limiting this project; retry in {delay:g} s.", retry_after_s=delay, upstream=refusal.said
    )


def _failure(refusal: Refusal) -> GatewayError:
    said = refusal.said
    if refusal.status == 503:
        delay = 5.0 if refusal.retry_delay_s is None else min(refusal.retry_delay_s, LONGEST_RETRY_S)
        return UpstreamUnavailableError(
            "Gemini is overloaded or unavailable; retry in a moment.", retry_after_s=delay, upstream=said
        )
    if refusal.status == 504:
        return GeminiTimeoutError(
            "Gemini did not finish in time; raise timeout_s or shorten the request.", upstream=said
        )
    return GeminiFailedError(f"Gemini failed with status {refusal.status}.", upstream=said)
