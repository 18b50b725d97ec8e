"""Uploads and files in one line each, so that a test shows only its subject."""

from app.store.files import FileRegistry
from app.store.records import FilePage, MediaFacts, Origin, RoomLimit, StoredFile, UploadState

NOW = 1_000.0
EXPIRES = 2_000.0
ME = "me"
FACTS = MediaFacts(width=640, height=480, orientation=6, duration=12.5, pages=3)


async def begun(
    registry: FileRegistry,
    name: str,
    *,
    owner: str = ME,
    size: int = 0,
    lease_until: float = 1_300.0,
    most: int | None = None,
    room: tuple[RoomLimit, ...] = (),
) -> str:
    """Write an upload down that is on its way."""
    await registry.begin(
        name,
        owner=owner,
        mime_type="image/png",
        size_bytes=size,
        now=NOW,
        expires_at=EXPIRES,
        lease_until=lease_until,
        room=() if most is None else (RoomLimit(owner, most), *room),
    )
    return name


async def uploaded(
    registry: FileRegistry,
    name: str,
    *,
    owner: str = ME,
    size: int = 10,
    sha256: str = "0" * 64,
    state: UploadState = UploadState.ACTIVE,
    expires_at: float = EXPIRES,
) -> str:
    """Write an upload down that is at Gemini, and has no id yet."""
    await begun(registry, name, owner=owner)
    await registry.complete(
        name,
        state=state,
        size_bytes=size,
        sha256=sha256,
        uri=f"https://files/{name}",
        facts=FACTS,
        expires_at=expires_at,
        error=None,
    )
    return name


async def held(
    registry: FileRegistry,
    file_id: str,
    upload: str,
    *,
    owner: str = ME,
    origin: Origin = Origin.SENT,
    filename: str | None = None,
    now: float = NOW,
) -> StoredFile:
    """Add an id to an upload."""
    return await registry.add_file(file_id, owner=owner, upload_name=upload, origin=origin, filename=filename, now=now)


async def page(
    registry: FileRegistry,
    *,
    owner: str = ME,
    now: float = NOW,
    limit: int = 50,
    after: str | None = None,
    state: UploadState | None = None,
    sha256: str | None = None,
    filename: str | None = None,
) -> FilePage:
    """List files, by default all of one's own."""
    return await registry.page(owner, now=now, limit=limit, after=after, state=state, sha256=sha256, filename=filename)


def ids(page: FilePage) -> list[str]:
    """The ids on a page."""
    return [file.id for file in page.files]
