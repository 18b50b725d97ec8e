"""The values that leave the registry: frozen, and free of SQL."""

from dataclasses import dataclass
from enum import StrEnum


class NoRoomError(Exception):
    """The owner would have more bytes than allowed."""


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """A client's limits in stored bytes: its own, and those of its key with all users of that key; None sets none."""

    own: int | None = None
    key: str = ""
    total: int | None = None


NO_STORED_LIMITS = StoredLimits()


@dataclass(frozen=True, slots=True)
class RoomLimit:
    """The largest number of stored bytes of an owner; `with_users` counts those of the users of its key too."""

    owner: str
    most_bytes: int
    with_users: bool = False


class UploadState(StrEnum):
    """The state of an upload: on its way, at Gemini (three states), or gone."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    ACTIVE = "active"
    FAILED = "failed"


class Origin(StrEnum):
    """The origin of a file: uploaded to `/files`, kept from a call, or uploaded by Gemini's own protocol."""

    SENT = "sent"
    KEPT = "kept"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Facts read from a file's own bytes; None if unknown.

    Width and height are pixels of the displayed picture; orientation is EXIF's 1 to 8; duration is in seconds.
    """

    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    duration: float | None = None
    pages: int | None = None


NO_FACTS = MediaFacts()


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
    facts: MediaFacts
    created_at: float
    expires_at: float
    lease_until: float | None
    alias: str | None = None
    document: str | None = None
    named: str | None = None


@dataclass(frozen=True, slots=True)
class SentBytes:
    """The size and the SHA-256 in hex of the bytes that a client sent."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One id of a client, and its upload. `sent` are the client's own bytes of a text that was transcoded."""

    id: str
    owner: str
    origin: Origin
    filename: str | None
    created_at: float
    upload: Upload
    sent: SentBytes | None = None

    @property
    def sha256(self) -> str | None:
        """Return the SHA-256 of the bytes that the client sent, None if it is unknown."""
        return self.upload.sha256 if self.sent is None else self.sent.sha256

    @property
    def size_bytes(self) -> int:
        """Return the number of bytes that the client sent."""
        return self.upload.size_bytes if self.sent is None else self.sent.size_bytes


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page of files, newest first, and whether older files follow."""

    files: tuple[StoredFile, ...]
    has_more: bool
