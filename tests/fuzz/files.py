"""Gemini's descriptions of files: each one is read, or is an error of Gemini's, and its owner sees the same bytes."""

import math

from app.errors import UpstreamFailedError
from app.gemini.remote_files import RemoteFile, describe_file, read_file
from app.gemini.resumable import MAX_COUNT_DIGITS, read_count
from app.native.uploads.document import sha256_of, shown, size_of
from app.native.usage_reader import Json

NAME, ALIAS = "a1b2c3", "talk"
WORDS = (
    b'{"file":{"name":"files/a1b2c3"', b'"uri":"https://generativelanguage.googleapis.com/v1beta/files/a1b2c3"',
    b'"state":"ACTIVE"', b'"expirationTime":"2026-01-01T00:00:00Z"', b'"videoMetadata":{"videoDuration":"1.5s"}',
    b'"error":{"message":"', b'"sizeBytes":"5"', b'"sha256Hash":"', b'"displayName":"', b"0001-01-01T00:00:00", b"}}",
)  # fmt: skip


def run(data: bytes) -> None:
    """Read one description, as the answer to finalize and as the answer to GET."""
    for read in (read_file, describe_file):
        try:
            file = read(data)
        except UpstreamFailedError:
            continue
        _check(file, len(data))
    told = shown(data, NAME, ALIAS)
    assert len(told) <= len(data)
    assert shown(data, NAME, None) == data
    written = data.decode("latin-1")
    count = read_count(written)
    assert count is None or 0 <= count < 10**MAX_COUNT_DIGITS
    file_of: Json = {"sizeBytes": written, "sha256Hash": written}
    assert (size_of(file_of) or 0) >= 0
    assert len(sha256_of(file_of) or "0" * 64) == 64


def _check(file: RemoteFile, size: int) -> None:
    for text in (file.name, file.uri, file.state, file.error or "", file.document or ""):
        assert isinstance(text, str)
        assert len(text) <= 6 * size + 100
    for number in (file.expires_at, file.duration):
        assert number is None or math.isfinite(number)
    assert file.duration is None or file.duration >= 0
