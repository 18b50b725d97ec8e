"""Gemini's description of a file, and the control calls for files, by google-genai: get, delete and list."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import orjson
from google import genai
from google.genai import types as sdk

from app.errors import GatewayError, UpstreamFailedError
from app.gemini.control import control_errors
from app.gemini.refusals import NamedFileError

LIST_PAGE = 100
MAX_PAGES = 1_000
"""100,000 files: a project of 20 GB has more only if they are smaller than 200 kB."""
FILE_HOST_WORD = "generativelanguage"
"""The word in the names of Gemini's host and of its regional and internal siblings."""
URI_PREFIX = "https://generativelanguage.googleapis.com/v1beta/files/"
"""Every file's `uri` begins so, also behind a proxy (Files API reference, section 2)."""
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s?")


def is_file_host(host: str) -> bool:
    """Whether a host, in lower case, keeps clients' files: Google's host for Gemini or one of its siblings.

    Google's other hosts, such as those of Cloud Storage and Firebase, are hosts like any other.
    """
    return host.endswith("googleapis.com") and FILE_HOST_WORD in host


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file's resource: id without `files/`, state in Google's words, expiry in seconds since the epoch."""

    name: str
    uri: str
    state: str
    expires_at: float | None
    duration: float | None
    error: str | None
    document: str | None = None
    """The resource in Gemini's own words, if this is an answer to an upload."""
    body: bytes = b""
    """The whole answer to finalize, or the same made of an answer to GET."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file in Gemini's list: id without `files/`, size, and creation in seconds since the epoch, if given."""

    name: str
    size_bytes: int
    created_at: float | None


@dataclass(frozen=True, slots=True)
class FileList:
    """Gemini's list of the project's files; `is_whole` is False if only a part of the list was read."""

    files: tuple[ListedFile, ...]
    is_whole: bool


def _time(value: object) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _duration(metadata: object) -> float | None:
    value = metadata.get("videoDuration") if isinstance(metadata, dict) else None
    if not isinstance(value, str):
        return None
    match = _SECONDS.fullmatch(value)
    return float(match[1]) if match is not None else None


def _error(value: object) -> str | None:
    return _text(value.get("message")) or "Gemini gave no reason." if isinstance(value, dict) and value else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def read_file(body: bytes) -> RemoteFile:
    """Return the file of an answer to finalize, `{"file": {...}}`; raises UpstreamFailedError for anything else."""
    try:
        return _file(cast("dict[str, object]", orjson.loads(body)["file"]), body)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UpstreamFailedError("Gemini finished the upload with an answer that cannot be read.") from error


def describe_file(document: bytes) -> RemoteFile:
    """Return the file of an answer to GET, in the shape of an answer to finalize; raises as `read_file` does."""
    return read_file(b'{"file": %b}' % document.strip())


def _file(file: dict[str, object], body: bytes) -> RemoteFile:
    name = cast("str", file["name"]).removeprefix("files/")
    return RemoteFile(
        name=name,
        uri=_text(file.get("uri")) or URI_PREFIX + name,
        state=_text(file.get("state")) or "ACTIVE",
        expires_at=_time(file.get("expirationTime")),
        duration=_duration(file.get("videoMetadata")),
        error=_error(file.get("error")),
        document=_as_it_stands(body, file),
        body=body,
    )


def _as_it_stands(body: bytes, file: dict[str, object]) -> str:
    start = body.find(b"{", body.find(b"{") + 1)
    inner = body[start : body.rfind(b"}", 0, body.rfind(b"}")) + 1]
    try:
        if orjson.loads(inner) == file:
            return inner.decode()
    except orjson.JSONDecodeError:
        pass
    # The answer has further members beside the file.
    return orjson.dumps(file).decode()


def _from_sdk(name: str, file: sdk.File) -> RemoteFile:
    return RemoteFile(
        name=name,
        uri=file.uri or URI_PREFIX + name,
        state=file.state.value if file.state else "ACTIVE",
        expires_at=file.expiration_time.timestamp() if file.expiration_time else None,
        duration=_duration(file.video_metadata),
        error=(file.error.message or "Gemini gave no reason.") if file.error else None,
    )


class RemoteFiles:
    """Get, delete and list, for the gateway's own files."""

    def __init__(self, control: genai.Client) -> None:
        self._files = control.aio.files

    async def get(self, name: str) -> RemoteFile | None:
        """Return a file, or None if Gemini does not have it. Raises the error of any other refusal."""
        try:
            with control_errors():
                return _from_sdk(name, await self._files.get(name=f"files/{name}"))
        except GatewayError as error:
            if not _is_absent(error):
                raise
            return None

    async def delete(self, name: str) -> None:
        """Delete a file; a file that Gemini does not have counts as deleted. Raises the error of another refusal."""
        try:
            with control_errors():
                await self._files.delete(name=f"files/{name}")
        except GatewayError as error:
            if not _is_absent(error):
                raise

    async def list_all(self) -> FileList:
        """List the project's files, at most MAX_PAGES pages of them. Raises the error of a refusal."""
        found: list[ListedFile] = []
        with control_errors():
            pager = await self._files.list(config={"page_size": LIST_PAGE})
            for _ in range(MAX_PAGES):
                found += [_listed(file) for file in pager.page]
                try:
                    await pager.next_page()
                except IndexError:
                    # The SDK's word for the last page.
                    return FileList(tuple(found), is_whole=True)
        return FileList(tuple(found), is_whole=False)


def _listed(file: sdk.File) -> ListedFile:
    created_at = file.create_time.timestamp() if file.create_time else None
    return ListedFile((file.name or "").removeprefix("files/"), file.size_bytes or 0, created_at)


def _is_absent(error: GatewayError) -> bool:
    is_not_found = error.upstream is not None and error.upstream.status == 404
    return is_not_found or isinstance(error, NamedFileError)
