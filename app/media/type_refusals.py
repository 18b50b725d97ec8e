"""The refusals of a file for its type, each naming the file."""

from app.errors import FieldError, UnsupportedFileTypeError
from app.media.types import MediaKind, UnsupportedTypeError


def unsupported(error: UnsupportedTypeError, where: str) -> UnsupportedFileTypeError:
    """Return the problem for a refused type; it names the file."""
    return UnsupportedFileTypeError(
        f"{where}: {error.reason}",
        errors=(FieldError(where, error.reason, received=error.received, allowed=", ".join(error.allowed)),),
    )


def check_kind(kind: MediaKind | None, mime_type: str, accepts: frozenset[MediaKind] | None, where: str) -> None:
    """Refuse a file of a kind that the operation does not accept; raises UnsupportedFileTypeError."""
    if accepts is None or kind in accepts:
        return
    allowed = " or ".join(sorted(one.value for one in accepts))
    message = f"must be {allowed}, it is {mime_type}"
    raise UnsupportedFileTypeError(
        f"{where}: this operation accepts {allowed}; the file is {mime_type}.",
        errors=(FieldError(where, message, received=mime_type, allowed=allowed),),
    )
