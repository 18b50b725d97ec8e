"""Errors of requests: a status of 4xx, since another request would succeed."""

from app.errors.base import GatewayError, UpstreamRefusedError


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


class UnpricedModelError(InvalidFieldError):
    """A model, service tier or tool has no price, and a limit of the client is in money."""

    code = "unpriced-model"
    title = "A limit in money does not allow calls without a price"
    advice = (
        "Name a model with a price, or leave out the tier or tool; or ask the gateway's operator, who can add prices "
        "(MODELS_FILE) or set limits in tokens."
    )


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
