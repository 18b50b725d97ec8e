"""The error family: one class for each thing a client can do something about, and its three renderings.

An error is raised deep and rendered once, at the surface the request came by: RFC 9457 for our own REST surface,
Google's shape for the native one, OpenAI's below its path. This module knows no framework, no request and no Gemini
call. No message here may carry a key, a token or the content of a prompt.
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
    """What is wrong with one field: its path, what came, what is allowed, and what to do."""

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
    """The root of the family.

    `detail` says what came, what is allowed and what to do. `retry_after_s` is the wait that helps, where one is known.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The gateway failed"
    advice: ClassVar[str] = "Try again; if it happens again, tell the operator the request_id."
    is_retryable: ClassVar[bool] = False
    google_status: ClassVar[int | None] = None
    """The status on Google's surface, where Gemini itself answers otherwise than our REST surface does."""

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
    """A defect of the gateway's own."""

    is_retryable = True


class MalformedRequestError(GatewayError):
    """The bytes are not what their own framing says: broken multipart, broken JSON, broken HTTP."""

    status = 400
    code = "malformed-request"
    title = "The request cannot be read"
    advice = "Compare the body with its Content-Type; a form must end with its closing boundary."


class WrongClaimError(GatewayError):
    """A `file_size` or `sha256` that the bytes do not bear out."""

    status = 400
    code = "wrong-claim"
    title = "A claim about a file is wrong"
    advice = "Send the exact size in bytes and the SHA-256 in hex of the file that follows, or leave the claim out."


class UnauthenticatedError(GatewayError):
    """No credential, or one that is not valid."""

    status = 401
    code = "unauthenticated"
    title = "A credential is needed"
    advice = "Send a valid client key as Authorization: Bearer."


class ForbiddenError(GatewayError):
    """A known client that may not do this: a scope, a model or a browser origin that it does not have."""

    status = 403
    code = "forbidden"
    title = "This client may not do that"
    advice = "Use a key that has the scope, the model or the origin that the detail names, or ask the operator for one."


class ForbiddenOriginError(GatewayError):
    """A browser page of an origin that is not allowed, or a forwarded request to an open gateway."""

    status = 403
    code = "forbidden-origin"
    title = "This origin may not call the gateway"
    advice = "Add the page's origin to CORS_ORIGINS, or call from your own backend."


class NotFoundError(GatewayError):
    """No such path."""

    status = 404
    code = "not-found"
    title = "There is nothing here"
    advice = "See /docs for the operations that exist."


class FileNotFoundProblemError(GatewayError):
    """A file that does not exist, is gone, or is another client's: the three are not told apart."""

    status = 404
    code = "file-not-found"
    title = "There is no such file"
    advice = "Files live 48 hours. Upload it again and use the new id."
    google_status = 403


class CacheNotFoundError(GatewayError):
    """A cache that does not exist, has expired, or is another client's: the three are not told apart."""

    status = 404
    code = "cache-not-found"
    title = "There is no such cache"
    advice = "Caches end at their expireTime. Make a new one and use its name."
    google_status = 403


class ResourceNotFoundError(GatewayError):
    """A batch, an interaction or an operation that does not exist, is gone, or is another client's."""

    status = 404
    code = "resource-not-found"
    title = "There is no such batch, interaction or operation"
    advice = "Use the name that its creation answered; only the client that made it can see it."


class MethodNotAllowedError(GatewayError):
    """The path exists, the method does not."""

    status = 405
    code = "method-not-allowed"
    title = "The method is not allowed here"
    advice = "Use a method that the Allow header names."


class SlowBodyError(GatewayError):
    """The body stalled, or came slower than the minimum rate."""

    status = 408
    code = "slow-body"
    title = "The body came too slowly"
    advice = "Send again on a better network, or upload the file by itself first."
    is_retryable = True


class BytesNeededError(GatewayError):
    """What is asked needs the file's own bytes, which are not here: it was uploaded before, or is too large to hold."""

    status = 409
    code = "bytes-needed"
    title = "The file itself is needed"
    advice = "Send the file in the form, small enough to go inline, or leave the overlay out."


class NameTakenError(GatewayError):
    """A name that the client has given to another of its files, which is still there."""

    status = 409
    code = "name-taken"
    title = "The name is taken"
    advice = "Choose another name, or delete the file that has it."


class OffsetConflictError(GatewayError):
    """A chunk of an upload that does not go on where the upload stands."""

    status = 409
    code = "offset-conflict"
    title = "The chunk does not fit"
    advice = "Ask the upload how much it has, and go on from there."
    google_status = 400


class LengthRequiredError(GatewayError):
    """Gemini takes no upload of unknown length, and none was given."""

    status = 411
    code = "length-required"
    title = "The file's length is needed"
    advice = "Give file_size (bytes) before the file part, or a Content-Length with a raw body."


class BodyTooLargeError(GatewayError):
    """A body over its limit."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"
    advice = "Send large media as file parts of /generate or to /files, not inside JSON."


class FileTooLargeError(GatewayError):
    """A file over the limit."""

    status = 413
    code = "file-too-large"
    title = "The file is too large"
    advice = "Send a smaller or shorter file; the limit is in the detail."


class FieldsTooLargeError(GatewayError):
    """The form's fields together are over their limit."""

    status = 413
    code = "fields-too-large"
    title = "The form's fields are too large"
    advice = "Send the long text as a text file part instead of a field."


class UnsupportedMediaTypeError(GatewayError):
    """The request's own Content-Type is not the operation's."""

    status = 415
    code = "unsupported-media-type"
    title = "This Content-Type is not taken here"
    advice = "Use the content type that the operation documents."


class UnsupportedFileTypeError(GatewayError):
    """A file of a type that Gemini does not take, or that is not what it calls itself."""

    status = 415
    code = "unsupported-file-type"
    title = "This file's type is not supported"
    advice = "Convert the file to a supported type, or correct the type it declares."


class ForeignHostError(GatewayError):
    """A Host that is not the gateway's."""

    status = 421
    code = "foreign-host"
    title = "This host is not served here"
    advice = "Add the name to ALLOWED_HOSTS, or set PUBLIC_URL."


class InvalidFieldError(GatewayError):
    """A field whose value is not allowed, or that is unknown."""

    status = 422
    code = "invalid-field"
    title = "A field is not valid"
    advice = "See errors: each names the field, what came and what is allowed."
    google_status = 400


class EmptyFileError(GatewayError):
    """A named file of no bytes."""

    status = 422
    code = "empty-file"
    title = "The file is empty"
    advice = "Send a file that has bytes, or leave the part out."
    google_status = 400


class UnknownModelError(GatewayError):
    """A model that Gemini does not have."""

    status = 422
    code = "unknown-model"
    title = "There is no such model"
    advice = "GET /api/v1/models lists the models."
    google_status = 404


class RejectedByModelError(GatewayError):
    """Gemini refused the request's content or options."""

    status = 422
    code = "rejected-by-model"
    title = "Gemini refused the request"
    advice = "Read upstream.message; change the request accordingly."


class FileFailedError(GatewayError):
    """Gemini could not process the file."""

    status = 422
    code = "file-failed"
    title = "Gemini could not process the file"
    advice = "Check that the file plays or opens; convert it and upload it again."


class UnreadableFileError(GatewayError):
    """A file whose contents cannot be decoded, though its first bytes are of its type: cut short, or damaged."""

    status = 422
    code = "unreadable-file"
    title = "The file cannot be decoded"
    advice = "Check that the file opens elsewhere; save or export it again, and send it whole."


class TooManyPixelsError(GatewayError):
    """A picture of more pixels than are decoded here."""

    status = 422
    code = "too-many-pixels"
    title = "The picture has too many pixels"
    advice = "Scale the picture down; the limit is in the detail."


class TooManyPagesError(GatewayError):
    """A document of more pages than Gemini reads."""

    status = 422
    code = "too-many-pages"
    title = "The document has too many pages"
    advice = "Split the document; the limit is in the detail."


class BlockedByModelError(GatewayError):
    """Gemini refused the task's media or its own answer, so there is nothing to report."""

    status = 422
    code = "blocked-by-model"
    title = "Gemini blocked the answer"
    advice = "Read upstream.code for Gemini's reason; other media, or generate, may fare better."


class RateLimitedError(GatewayError):
    """Too many calls; waiting helps."""

    status = 429
    code = "rate-limited"
    title = "Too many calls"
    advice = "Wait as Retry-After says, then try again."
    is_retryable = True


class StoredBytesError(GatewayError):
    """A client's stored files have reached its limit."""

    status = 429
    code = "stored-bytes"
    title = "Too many stored bytes"
    advice = "Delete files that are no longer needed, or wait until they expire."
    is_retryable = True


class HeadersTooLargeError(GatewayError):
    """More headers, or more bytes of headers, than are taken."""

    status = 431
    code = "headers-too-large"
    title = "The request's headers are too large"
    advice = "Send at most 100 headers of 64 KiB together."


class ClientGoneError(GatewayError):
    """The client left; it is logged, and nobody reads the answer."""

    status = 499
    code = "client-gone"
    title = "The client went away"
    advice = "Nothing to do."


class UpstreamCredentialsError(GatewayError):
    """Gemini refuses the gateway's own key, region or billing."""

    status = 502
    code = "upstream-credentials"
    title = "Gemini refuses the gateway's credentials"
    advice = "The operator must check GEMINI_API_KEY, its project's billing and region."


class UpstreamFailedError(GatewayError):
    """Gemini failed, or answered what cannot be understood."""

    status = 502
    code = "upstream-failed"
    title = "Gemini failed"
    advice = "Try again in a moment."
    is_retryable = True


class BadModelAnswerError(GatewayError):
    """The model's answer to a task is not what was asked for and cannot be understood."""

    status = 502
    code = "bad-model-answer"
    title = "The model's answer cannot be understood"
    advice = "Try again, or name another model; upstream.code is Gemini's finish reason."
    is_retryable = True


class UploadFailedError(GatewayError):
    """An upload to Gemini made no progress."""

    status = 502
    code = "upload-failed"
    title = "The upload to Gemini failed"
    advice = "Send the request again."
    is_retryable = True


class BusyError(GatewayError):
    """The gateway's own memory or sessions are all in use."""

    status = 503
    code = "busy"
    title = "The gateway is busy"
    advice = "Wait as Retry-After says, then try again."
    is_retryable = True


class FileNotReadyError(GatewayError):
    """Gemini is still processing the file."""

    status = 503
    code = "file-not-ready"
    title = "The file is not ready yet"
    advice = "Ask again in a moment; GET /api/v1/files/{id}?wait=60 waits for it."
    is_retryable = True


class FileQuotaError(GatewayError):
    """The project's file storage is full and nothing can be freed."""

    status = 503
    code = "file-quota"
    title = "Gemini's file storage is full"
    advice = "Delete files that are no longer needed, or wait until they expire."
    is_retryable = True
    google_status = 429


class UpstreamQuotaError(GatewayError):
    """Gemini's quota is used up; a short wait does not help."""

    status = 503
    code = "upstream-quota"
    title = "Gemini's quota is used up"
    advice = "Try again tomorrow, or ask the operator to raise the project's quota."


class UpstreamUnavailableError(GatewayError):
    """Gemini is overloaded or away."""

    status = 503
    code = "upstream-unavailable"
    title = "Gemini is not available"
    advice = "Try again in a moment."
    is_retryable = True


class StoreUnavailableError(GatewayError):
    """The gateway's database is away."""

    status = 503
    code = "store-unavailable"
    title = "The gateway's database is not available"
    advice = "Try again in a moment."
    is_retryable = True


class IssuerUnavailableError(GatewayError):
    """The identity provider that signs clients' tokens is away, and none of its keys are known."""

    status = 503
    code = "issuer-unavailable"
    title = "The identity provider is not available"
    advice = "Try again in a moment; the operator may check JWT_ISSUER and that the gateway reaches it."
    is_retryable = True


class UpstreamTimeoutError(GatewayError):
    """Gemini took longer than the request's deadline."""

    status = 504
    code = "upstream-timeout"
    title = "Gemini did not answer in time"
    advice = "Raise timeout_s, shorten the request, or stream the answer."
    is_retryable = True


def _family(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [child for direct in root.__subclasses__() for child in (direct, *_family(direct))]


PROBLEMS: Mapping[str, type[GatewayError]] = {kind.code: kind for kind in _family(GatewayError)}
"""Every problem code, in the order of this file: the closed list that `docs/errors.md` and `/problems/<code>` show."""


class Surface(Enum):
    """By which surface a request came: it decides the shape of an error."""

    REST = "rest"
    GOOGLE = "google"
    INTERACTIONS = "interactions"
    OPENAI = "openai"


def surface_of(path: str) -> Surface:
    """Tell the surface from a request's path (Google's own paths begin with its API versions, `upload` and `ws`)."""
    # What is remembered stays small, whatever clients send.
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
    """An error as it goes over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem_of(error: GatewayError, *, request_id: str, base_url: str, instance: str | None) -> dict[str, object]:
    """Give the RFC 9457 problem detail: every member always present, null when empty.

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
        "status": _GOOGLE_STATUS.get(code, fallback),
    }
    if details:
        shown["details"] = details
    return {"error": shown}


def _interactions_of(error: GatewayError) -> dict[str, object]:
    shown = cast("dict[str, str]", _google_of(error)["error"])
    code = "invalid_request" if shown["status"] == "INVALID_ARGUMENT" else shown["status"].lower()
    return {"error": {"code": code, "message": error.detail}}


_OPENAI_STATUS: Mapping[int, int] = {411: 400, 415: 400, 422: 400}
"""OpenAI calls all of these a bad request, and its clients have no other name for them."""
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
    """Render an error for the surface it leaves by: status, headers (content type, Retry-After, its own) and body."""
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
