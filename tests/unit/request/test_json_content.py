"""Which bodies are taken as JSON, by their headers."""

from typing import Any

import pytest

from app.errors import UnsupportedMediaTypeError
from app.request.json_content import check_json_content


def scope(*headers: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    return {"headers": list(headers), "query_string": query}


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'Application/JSON ;  Charset = "UTF-8"',
        b"application/json;odata=verbose",
        b"",
    ],
)
@pytest.mark.parametrize("has_credential", [True, False])
def test_json_in_utf_8_is_taken(content_type: bytes, has_credential: bool) -> None:
    check_json_content(scope((b"content-type", content_type)), has_credential=has_credential)
    check_json_content(scope(), has_credential=has_credential)


def test_text_plain_is_taken_with_a_credential_only() -> None:
    header = (b"content-type", b"text/plain;charset=UTF-8")

    check_json_content(scope(header), has_credential=True)
    with pytest.raises(UnsupportedMediaTypeError, match="set the header to application/json"):
        check_json_content(scope(header), has_credential=False)


@pytest.mark.parametrize(
    "header",
    [
        (b"content-type", b"multipart/form-data"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-type", b"application/json; charset=utf-16"),
        (b"content-type", b"application/json; charset=utf-7"),
        (b"content-type", b"application/json; charset=utf-8; charset=utf-16"),
        (b"content-type", b"application/json;charset =utf-16"),
        (b"content-type", b"text/plain; charset=iso-8859-1"),
        (b"content-type", b"application/json, text/plain"),
        (b"content-type", b"application/json5"),
        (b"content-encoding", b"gzip"),
    ],
)
def test_a_body_that_cannot_be_scanned_is_refused(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        check_json_content(scope(header), has_credential=True)
