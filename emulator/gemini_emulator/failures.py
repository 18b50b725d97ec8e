"""Google's errors: their codes, status words, texts and details (errors reference, section 4).

    {"error": {"code": 404, "message": "...", "status": "NOT_FOUND", "details": [...]}}

Raised wherever a call is refused, rendered once where it is answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STATUS_OF_CODE: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ALREADY_EXISTS",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DEFAULT_MESSAGES: Mapping[int, str] = {
    429: "Resource has been exhausted (e.g. check quota).",
    500: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}
_TYPES = "type.googleapis.com/google.rpc."


@dataclass(slots=True)
class ApiFailureError(Exception):
    """A call that is refused; `status` is the canonical status word of `code` unless given."""

    code: int
    message: str
    status: str = ""
    details: Sequence[Mapping[str, object]] = field(default_factory=tuple)

    def body(self) -> dict[str, object]:
        """Render Google's envelope."""
        error: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "status": self.status or STATUS_OF_CODE.get(self.code, "UNKNOWN"),
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def interaction_body(self) -> dict[str, object]:
        """Render the envelope of the Interactions API, whose codes are words."""
        status = self.status or STATUS_OF_CODE.get(self.code, "UNKNOWN")
        code = "invalid_request" if status == "INVALID_ARGUMENT" else status.lower()
        return {"error": {"code": code, "message": self.message}}


def invalid(message: str) -> ApiFailureError:
    """Return the failure for an invalid argument (400)."""
    return ApiFailureError(400, message)


def bad_request(violations: Sequence[tuple[str, str]]) -> ApiFailureError:
    """Refuse JSON that is not the message it should be; violations are pairs of field and description."""
    detail = {
        "@type": f"{_TYPES}BadRequest",
        "fieldViolations": [
            {"field": name, "description": description} if name else {"description": description}
            for name, description in violations
        ],
    }
    return ApiFailureError(400, "\n".join(description for _, description in violations), details=(detail,))


def no_key() -> ApiFailureError:
    """Refuse a call without a key."""
    return ApiFailureError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def wrong_key() -> ApiFailureError:
    """Refuse a key that is not one."""
    message = "API key not valid. Please pass a valid API key."
    return ApiFailureError(
        400,
        message,
        details=(
            {
                "@type": f"{_TYPES}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": f"{_TYPES}LocalizedMessage", "locale": "en-US", "message": message},
        ),
    )


def unknown_file(file_id: str) -> ApiFailureError:
    """Refuse a file that is missing, expired, deleted or another project's: one text for all."""
    return ApiFailureError(403, f"You do not have permission to access the File {file_id} or it may not exist.")


def file_not_active(file_id: str) -> ApiFailureError:
    """Refuse to use a file that is not ready."""
    return ApiFailureError(
        400,
        f"The File {file_id} is not in an ACTIVE state and usage is not allowed.",
        status="FAILED_PRECONDITION",
    )


def unknown_model(model: str, version: str, method: str) -> ApiFailureError:
    """Refuse a model that does not exist, or does not do this, with the recorded text."""
    return ApiFailureError(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ListModels to see the list of available models and their supported methods.",
        details=(
            {
                "@type": f"{_TYPES}DebugInfo",
                "detail": "[ORIGINAL ERROR] generic::not_found: "
                f"models/{model} is not found for API version {version}, or is not supported for {method}.",
            },
        ),
    )


def too_large(limit_bytes: int) -> ApiFailureError:
    """Refuse a body over the limit."""
    return ApiFailureError(413, f"Request payload size exceeds the limit: {limit_bytes} bytes.")


def rate_limited(*, model: str, limit: int, retry_delay_s: float) -> ApiFailureError:
    """Refuse a call beyond the rate, and say when to come back."""
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    return ApiFailureError(
        429,
        "You exceeded your current quota, please check your plan and billing details.\n"
        f"* Quota exceeded for metric: {metric}, limit: {limit}\nPlease retry in {retry_delay_s:g}s.",
        details=(
            {
                "@type": f"{_TYPES}QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": metric,
                        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
                        "quotaDimensions": {"location": "global", "model": model},
                        "quotaValue": str(limit),
                    }
                ],
            },
            {
                "@type": f"{_TYPES}Help",
                "links": [
                    {
                        "description": "Learn more about Gemini API quotas",
                        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
                    }
                ],
            },
            retry_info(retry_delay_s),
        ),
    )


def retry_info(delay_s: float) -> dict[str, object]:
    """Return the detail that names the delay before a retry."""
    return {"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{delay_s:g}s"}


def ordinary(code: int, message: str = "", status: str = "") -> ApiFailureError:
    """Fail as Gemini ordinarily does with a code."""
    return ApiFailureError(code, message or _DEFAULT_MESSAGES.get(code, "The emulator was told to fail."), status)
