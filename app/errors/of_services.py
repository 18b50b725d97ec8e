"""Errors of Gemini, of the gateway and of its stores: a status of 5xx, since the request may be right."""

from app.errors.base import DependencyUnavailableError, GatewayError, UpstreamRefusedError, UpstreamUnfinishedError


class InternalError(GatewayError):
    """A defect of the gateway."""

    code = "internal"
    is_retryable = True


class UpstreamCredentialsError(UpstreamRefusedError):
    """Gemini refuses the gateway's own key, region or billing."""

    status = 502
    code = "upstream-credentials"
    title = "Gemini refuses the gateway's credentials"
    advice = "The operator must check `GEMINI_API_KEY`, its project's billing and region."


class UpstreamFailedError(UpstreamUnfinishedError):
    """Gemini failed, or its answer cannot be understood."""

    status = 502
    code = "upstream-failed"
    title = "Gemini failed"
    advice = "Try again in a moment."
    is_retryable = True


class BadModelAnswerError(GatewayError):
    """The model's answer to a task does not have the requested form and cannot be understood."""

    status = 502
    code = "bad-model-answer"
    title = "The model's answer cannot be understood"
    advice = "Try again, or name another model; `upstream.code` is Gemini's finish reason."
    is_retryable = True


class UploadFailedError(GatewayError):
    """An upload to Gemini made no progress."""

    status = 502
    code = "upload-failed"
    title = "The upload to Gemini failed"
    advice = "Send the request again."
    is_retryable = True


class BusyError(GatewayError):
    """The gateway's connections to Gemini, its memory for inline media or its upload slots are all in use."""

    status = 503
    code = "busy"
    title = "The gateway is busy"
    advice = "Wait as `Retry-After` says, then try again."
    is_retryable = True


class FileNotReadyError(UpstreamRefusedError):
    """Gemini is still processing the file."""

    status = 503
    code = "file-not-ready"
    title = "The file is not ready yet"
    advice = "Ask again in a moment; `GET /api/v1/files/{id}?wait=60` waits for the file."
    is_retryable = True


class FileQuotaError(GatewayError):
    """The project's file storage at Gemini is full, and no file can be deleted to make room."""

    status = 503
    code = "file-quota"
    title = "Gemini's file storage is full"
    advice = "Delete files that are no longer needed, or wait until they expire."
    is_retryable = True
    google_status = 429


class UpstreamQuotaError(UpstreamRefusedError):
    """The project's quota at Gemini is used up; a short wait does not help."""

    status = 503
    code = "upstream-quota"
    title = "Gemini's quota is used up"
    advice = "Try again tomorrow, or ask the operator to raise the project's quota."


class UpstreamUnavailableError(UpstreamRefusedError):
    """Gemini is overloaded or cannot be reached."""

    status = 503
    code = "upstream-unavailable"
    title = "Gemini is not available"
    advice = "Try again in a moment."
    is_retryable = True


class StoreUnavailableError(DependencyUnavailableError):
    """The gateway's database cannot be reached."""

    status = 503
    code = "store-unavailable"
    title = "The gateway's database is not available"
    advice = "Try again in a moment."
    is_retryable = True


class IssuerUnavailableError(DependencyUnavailableError):
    """The identity provider that signs clients' tokens cannot be reached, and none of its keys are known."""

    status = 503
    code = "issuer-unavailable"
    title = "The identity provider is not available"
    advice = "Try again in a moment; the operator may check `JWT_ISSUER` and that the gateway can reach it."
    is_retryable = True


class UpstreamTimeoutError(UpstreamUnfinishedError):
    """Gemini took longer than the request's deadline."""

    status = 504
    code = "upstream-timeout"
    title = "Gemini did not answer in time"
    advice = "Raise `timeout_s`, shorten the request, or stream the answer."
    is_retryable = True
