"""The errors: one class per reaction of a client, and their three renderings.

An error is raised deep and rendered once, on the surface of the request: RFC 9457 for REST, Google's format on Google's
paths, OpenAI's format below OpenAI's path. This module knows no framework, no request and no Gemini call. No message
may contain a key, a token or the content of a prompt.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import ClassVar, cast

import orjson


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


class InternalError(GatewayError):
    """A defect of the gateway."""

    code = "internal"
    is_retryable = True


class UpstreamRefusedError(GatewayError):
    """Gemini refused before a model worked, so that the call costs nothing; a class to catch by, without a code."""


class MalformedRequestError(GatewayError):
    """The body does not match its own format: broken multipart, broken JSON or broken HTTP."""

    status = 400
    code = "malformed-request"
    title = "The request cannot be read"
    advice = "Compare the body with its `Content-Type`; a form must end with its closing boundary."


class WrongClaimError(GatewayError):
    """The file's bytes do not match the `file_size` or `sha256` that the request gives."""

    status = 400
    code = "wrong-claim"
    title = "A claim about a file is wrong"
    advice = "Send the exact size in bytes and the SHA-256 in hex of the file that follows, or leave the claim out."


class UnauthenticatedError(GatewayError):
    """The request has no credential, more than one, or an invalid one."""

    status = 401
    code = "unauthenticated"
    title = "A credential is needed"
    advice = "Send one valid key or token as `Authorization: Bearer`."


class ForbiddenError(GatewayError):
    """The client is known but lacks the permission: a scope, a model or a browser origin."""

    status = 403
    code = "forbidden"
    title = "This client lacks the permission"
    advice = "Use a key that has the scope, the model or the origin that the detail names, or ask the operator for one."


class ForbiddenOriginError(GatewayError):
    """The request comes from a browser page whose origin is not allowed, or a proxy forwarded it to an open gateway."""

    status = 403
    code = "forbidden-origin"
    title = "This origin may not call the gateway"
    advice = "Add the page's origin to `CORS_ORIGINS`, or call from your own backend."


class NotFoundError(GatewayError):
    """The path does not exist."""

    status = 404
    code = "not-found"
    title = "There is nothing at this path"
    advice = "See `/docs` for the operations that exist."


class FileNotFoundProblemError(GatewayError):
    """The file does not exist, has expired, or belongs to another client; the answer is the same for all three."""

    status = 404
    code = "file-not-found"
    title = "There is no such file"
    advice = "Gemini keeps files for 48 hours. Upload the file again and use the new id."
    google_status = 403


class CacheNotFoundError(GatewayError):
    """The cache does not exist, has expired, or belongs to another client; the answer is the same for all three."""

    status = 404
    code = "cache-not-found"
    title = "There is no such cache"
    advice = "Caches end at their `expireTime`. Create a cache and use its name."
    google_status = 403


class ResourceNotFoundError(GatewayError):
    """The batch, interaction or operation does not exist, is deleted, or belongs to another client."""

    status = 404
    code = "resource-not-found"
    title = "There is no such batch, interaction or operation"
    advice = "Use the name from the answer that created the object; only the client that created it can use it."


class MethodNotAllowedError(GatewayError):
    """The path exists, but not with this method."""

    status = 405
    code = "method-not-allowed"
    title = "The method is not allowed here"
    advice = "Use a method that the `Allow` header names."


class SlowBodyError(GatewayError):
    """The body stalled, or arrived below the minimum rate."""

    status = 408
    code = "slow-body"
    title = "The body arrived too slowly"
    advice = "Send the request again on a faster network, or upload the file by itself first."
    is_retryable = True


class BytesNeededError(GatewayError):
    """The operation needs the file's own bytes, but the file was uploaded before or is too large to hold in memory."""

    status = 409
    code = "bytes-needed"
    title = "The file itself is needed"
    advice = "Send the file in the form, small enough to go inline, or leave the overlay out."


class NameTakenError(GatewayError):
    """Another file of this client has the name."""

    status = 409
    code = "name-taken"
    title = "The name is taken"
    advice = "Choose another name, or delete the file that has it."


class OffsetConflictError(GatewayError):
    """The chunk does not continue the upload at its current offset."""

    status = 409
    code = "offset-conflict"
    title = "The chunk does not continue the upload"
    advice = "Query the upload's offset and continue from there."
    google_status = 400


class UploadConflictError(GatewayError):
    """Another request writes to the same upload: one writer at a time."""

    status = 409
    code = "upload-conflict"
    title = "Another request writes to this upload"
    advice = "Query the upload's offset and continue from there."
    is_retryable = True
    google_word = "ABORTED"


class LengthRequiredError(GatewayError):
    """Gemini accepts no upload of unknown length, and the request gives no length."""

    status = 411
    code = "length-required"
    title = "The file's length is needed"
    advice = "Give `file_size` (bytes) before the file part, or a `Content-Length` with a raw body."


class BodyTooLargeError(GatewayError):
    """The body exceeds its limit."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"
    advice = "Send large media as file parts of `/generate` or to `/files`, not inside JSON."


class FileTooLargeError(GatewayError):
    """The file exceeds its limit."""

    status = 413
    code = "file-too-large"
    title = "The file is too large"
    advice = "Send a smaller or shorter file; the limit is in the detail."


class FieldsTooLargeError(GatewayError):
    """The fields of the form together exceed their limit."""

    status = 413
    code = "fields-too-large"
    title = "The form's fields are too large"
    advice = "Send the long text as a text file part instead of a field."


class UnsupportedMediaTypeError(GatewayError):
    """The operation does not accept the request's `Content-Type`."""

    status = 415
    code = "unsupported-media-type"
    title = "This Content-Type is not accepted here"
    advice = "Use the content type that the operation documents."


class UnsupportedFileTypeError(GatewayError):
    """Gemini does not accept files of this type, or the bytes are of another kind than declared."""

    status = 415
    code = "unsupported-file-type"
    title = "This file's type is not supported"
    advice = "Convert the file to a supported type, or correct the declared type."


class ForeignHostError(GatewayError):
    """The gateway does not serve the request's `Host`."""

    status = 421
    code = "foreign-host"
    title = "This host is not served here"
    advice = "Add the name to `ALLOWED_HOSTS`, or set `PUBLIC_URL`."


class InvalidFieldError(GatewayError):
    """A field is unknown, or its value is not allowed."""

    status = 422
    code = "invalid-field"
    title = "A field is not valid"
    advice = "Read `errors`: each entry names the field, the value received and the allowed values."
    google_status = 400


class EmptyFileError(GatewayError):
    """The file has no bytes."""

    status = 422
    code = "empty-file"
    title = "The file is empty"
    advice = "Send a file that has bytes, or leave the part out."
    google_status = 400


class UnknownModelError(UpstreamRefusedError):
    """Gemini does not have the model."""

    status = 422
    code = "unknown-model"
    title = "There is no such model"
    advice = "`GET /api/v1/models` lists the models."
    google_status = 404


class RejectedByModelError(UpstreamRefusedError):
    """Gemini refused the content or the options of the request."""

    status = 422
    code = "rejected-by-model"
    title = "Gemini refused the request"
    advice = "Read `upstream.message` and change the request accordingly."


class FileFailedError(GatewayError):
    """Gemini could not process the file."""

    status = 422
    code = "file-failed"
    title = "Gemini could not process the file"
    advice = "Check that the file plays or opens; convert it and upload it again."


class UnreadableFileError(GatewayError):
    """The file is truncated or damaged: its first bytes match its type, but its content cannot be decoded."""

    status = 422
    code = "unreadable-file"
    title = "The file cannot be decoded"
    advice = "Check that the file opens elsewhere; save or export it again, and send all of it."


class TooManyPixelsError(GatewayError):
    """The picture has more pixels than the gateway decodes."""

    status = 422
    code = "too-many-pixels"
    title = "The picture has too many pixels"
    advice = "Scale the picture down; the limit is in the detail."


class TooManyPagesError(GatewayError):
    """The document has more pages than Gemini reads."""

    status = 422
    code = "too-many-pages"
    title = "The document has too many pages"
    advice = "Split the document; the limit is in the detail."


class BlockedByModelError(GatewayError):
    """Gemini refused the task's media or its own answer, so the task has no result."""

    status = 422
    code = "blocked-by-model"
    title = "Gemini blocked the answer"
    advice = "Read `upstream.code` for Gemini's reason; other media, or `/generate`, may succeed."


class RateLimitedError(GatewayError):
    """The calls exceed a limit of the client, of its issuer, of the gateway or of Gemini."""

    status = 429
    code = "rate-limited"
    title = "Too many calls"
    advice = "Wait as `Retry-After` says, then try again; without `Retry-After`, make the call smaller."
    is_retryable = True


class StoredBytesError(GatewayError):
    """The client's stored files have reached their limit."""

    status = 429
    code = "stored-bytes"
    title = "Too many stored bytes"
    advice = "Delete files that are no longer needed, or wait until they expire."
    is_retryable = True


class HeadersTooLargeError(GatewayError):
    """The request has too many headers, or its headers are too long."""

    status = 431
    code = "headers-too-large"
    title = "The request's headers are too large"
    advice = "Send at most 100 headers of 64 KiB together."


class ClientGoneError(GatewayError):
    """The client disconnected before its answer; this code appears only in logs."""

    status = 499
    code = "client-gone"
    title = "The client disconnected"
    advice = "No action is needed."


class UpstreamCredentialsError(UpstreamRefusedError):
    """Gemini refuses the gateway's own key, region or billing."""

    status = 502
    code = "upstream-credentials"
    title = "Gemini refuses the gateway's credentials"
    advice = "The operator must check `GEMINI_API_KEY`, its project's billing and region."


class UpstreamFailedError(GatewayError):
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


class StoreUnavailableError(GatewayError):
    """The gateway's database cannot be reached."""

    status = 503
    code = "store-unavailable"
    title = "The gateway's database is not available"
    advice = "Try again in a moment."
    is_retryable = True


class IssuerUnavailableError(GatewayError):
    """The identity provider that signs clients' tokens cannot be reached, and none of its keys are known."""

    status = 503
    code = "issuer-unavailable"
    title = "The identity provider is not available"
    advice = "Try again in a moment; the operator may check `JWT_ISSUER` and that the gateway can reach it."
    is_retryable = True


class UpstreamTimeoutError(GatewayError):
    """Gemini took longer than the request's deadline."""

    status = 504
    code = "upstream-timeout"
    title = "Gemini did not answer in time"
    advice = "Raise `timeout_s`, shorten the request, or stream the answer."
    is_retryable = True


def _family(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [child for direct in root.__subclasses__() for child in (direct, *_family(direct))]


# Every problem code, by status: the closed list that `docs/errors.md` and `/problems/<code>` show. A class without a
# code of its own only serves to catch others.
PROBLEMS: Mapping[str, type[GatewayError]] = {
    kind.code: kind for kind in sorted(_family(GatewayError), key=lambda kind: kind.status) if "code" in vars(kind)
}


class Surface(Enum):
    """The surface of a request; it decides the format of an error."""

    REST = "rest"
    GOOGLE = "google"
    INTERACTIONS = "interactions"
    OPENAI = "openai"


def surface_of(path: str) -> Surface:
    """Return the surface for a request's path (Google's own paths begin with its API versions, `upload` and `ws`)."""
    # Only short paths are cached, so that clients cannot fill the memory.
    return _remembered_surface_of(path) if len(path) <= _LONGEST_REMEMBERED else _surface_of(path)


_LONGEST_REMEMBERED = 200


def _surface_of(path: str) -> Surface:
    first, _, rest = path.lstrip("/").partition("/")
    if first in {"v1", "v1beta", "v1alpha"}:
        name = rest.partition("/")[0]
        return {"openai": Surface.OPENAI, "interactions": Surface.INTERACTIONS}.get(name, Surface.GOOGLE)
    return Surface.GOOGLE if first in {"upload", "ws"} else Surface.REST


_remembered_surface_of = lru_cache(maxsize=1_024)(_surface_of)


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as sent over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem_of(error: GatewayError, *, request_id: str, base_url: str, instance: str | None) -> dict[str, object]:
    """Return the RFC 9457 problem detail: every member is present, null if empty.

    `base_url` is the gateway's own origin without a trailing slash, or "" for a relative `type`.
    """
    return {
        "type": f"{base_url}/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": [
            {"field": e.field, "received": e.received, "allowed": e.allowed, "message": e.message} for e in error.errors
        ],
        "retryable": error.retryable,
        "retry_after_s": error.retry_after_s,
        "upstream": None
        if error.upstream is None
        else {"status": error.upstream.status, "code": error.upstream.code, "message": error.upstream.message},
    }


_GOOGLE_STATUS: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _google_of(error: GatewayError) -> dict[str, object]:
    fallback = "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT"
    details: list[dict[str, object]] = []
    if error.errors:
        violations = [{"field": e.field, "description": e.message} for e in error.errors]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    if error.retry_after_s is not None:
        delay = f"{error.retry_after_s:.3f}".rstrip("0").rstrip(".") + "s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    code = error.google_status or error.status
    shown: dict[str, object] = {
        "code": code,
        "message": error.detail,
        "status": error.google_word or _GOOGLE_STATUS.get(code, fallback),
    }
    if details:
        shown["details"] = details
    return {"error": shown}


def _interactions_of(error: GatewayError) -> dict[str, object]:
    shown = cast("dict[str, str]", _google_of(error)["error"])
    code = "invalid_request" if shown["status"] == "INVALID_ARGUMENT" else shown["status"].lower()
    return {"error": {"code": code, "message": error.detail}}


# OpenAI answers all of these as a bad request, and its clients know no other name for them.
_OPENAI_STATUS: Mapping[int, int] = {411: 400, 415: 400, 422: 400}
_OPENAI_TYPE: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _openai_of(error: GatewayError) -> dict[str, object]:
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.detail,
            "type": _OPENAI_TYPE.get(error.status, fallback),
            "param": error.errors[0].field if error.errors else None,
            "code": error.code.replace("-", "_"),
        }
    }


def render(
    error: GatewayError, surface: Surface, *, request_id: str, base_url: str = "", instance: str | None = None
) -> Rendered:
    """Return an error rendered for its surface: status, headers (content type, Retry-After, its own) and body."""
    content_type = "application/json; charset=utf-8"
    status = error.status
    if surface is Surface.REST:
        content_type = "application/problem+json"
        body = problem_of(error, request_id=request_id, base_url=base_url, instance=instance)
    elif surface is Surface.OPENAI:
        body = _openai_of(error)
        status = _OPENAI_STATUS.get(status) or error.google_status or status
    else:
        body = _google_of(error) if surface is Surface.GOOGLE else _interactions_of(error)
        status = error.google_status or status
    headers = [("content-type", content_type), ("cache-control", "no-store")]
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
    headers.extend(error.headers.items())
    return Rendered(status, tuple(headers), orjson.dumps(body))
