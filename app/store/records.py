"""The values that travel out of the registry: frozen, and free of SQL."""

from dataclasses import dataclass
from enum import StrEnum


class NoRoomError(Exception):
    """An owner would have more than it may."""


class UploadState(StrEnum):
    """Where an upload stands: on its way, at Gemini (three states of its own), or gone."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    ACTIVE = "active"
    FAILED = "failed"


class Origin(StrEnum):
    """How a file came: by itself to `/files`, kept from a call that carried it, or by Gemini's own protocol."""

    SENT = "sent"
    KEPT = "kept"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read from a file's own bytes; None where they did not tell.

    Width and height are pixels of the picture as displayed; orientation is EXIF's 1 to 8; duration is in seconds.
    """

    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    duration: float | None = None
    pages: int | None = None


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Upload:
    """One file upstream. `name` is its id there, without `files/`; times are seconds of Gemini's clock.

    `alias` is a client's own name for it, `document` Gemini's description as JSON, `named` the resources that the lines
    of a batch's file name (JSON list; None when that is not known).
    """

    name: str
    owner: str
    state: UploadState
    mime_type: str
    size_bytes: int
    sha256: str | None
    uri: str | None
    error: str | None
    session: bytes | None
    facts: Facts
    created_at: float
    expires_at: float
    lease_until: float | None
    alias: str | None = None
    document: str | None = None
    named: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One id that a client holds, and the upload behind it."""

    id: str
    owner: str
    origin: Origin
    filename: str | None
    created_at: float
    upload: Upload


@dataclass(frozen=True, slots=True)
class Page:
    """A page of files, newest first, and whether older ones follow."""

    files: tuple[StoredFile, ...]
    has_more: bool
