"""Checks that a request's headers declare JSON: one rule for REST's JSON bodies and the relayed surfaces.

This module reads only headers.
"""

from starlette.types import Scope

from app.errors import UnsupportedMediaTypeError

_JSON_TYPES = frozenset({b"", b"application/json"})


def check_json_content(scope: Scope, *, has_credential: bool) -> None:
    """Raise UnsupportedMediaTypeError unless the headers declare plain, uncompressed JSON in UTF-8.

    `text/plain` is accepted only with a credential, since a browser sends that type across origins without a preflight.
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise UnsupportedMediaTypeError(
                "Content-Encoding is not supported on requests; send the JSON uncompressed."
            )
        if name == b"content-type" and value not in _JSON_TYPES:
            _check_type(value.decode("latin-1"), has_credential=has_credential)


def _check_type(content_type: str, *, has_credential: bool) -> None:
    essence, *parameters = (part.strip().lower() for part in content_type.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    charsets = [value.strip(' "') for name, _, value in pairs if name.strip() == "charset"]
    is_json = essence == "application/json" or (essence == "text/plain" and has_credential)
    if not is_json or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise UnsupportedMediaTypeError(
            f"Content-Type {content_type[:60]!r} is not supported: the body must be JSON in UTF-8; set the header to "
            "application/json."
        )
