"""Rows of the registry of files as values, and the condition for live rows."""

from sqlalchemy import ColumnElement, and_

from app.store.records import MediaFacts, Origin, SentBytes, StoredFile, Upload, UploadState
from app.store.schema import FileRow, UploadRow


def upload_of(row: UploadRow) -> Upload:
    """Return the upload of a row."""
    return Upload(
        name=row.name,
        owner=row.owner,
        state=UploadState(row.state),
        mime_type=row.mime_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        uri=row.uri,
        error=row.error,
        session=row.session,
        facts=MediaFacts(row.width, row.height, row.orientation, row.duration, row.pages),
        created_at=row.created_at,
        expires_at=row.expires_at,
        lease_until=row.lease_until,
        alias=row.alias,
        document=row.document,
        named=row.named,
    )


def file_of(row: FileRow, upload: UploadRow) -> StoredFile:
    """Return the file of an id's row and its upload's row."""
    sent = None
    if row.sent_bytes is not None and row.sent_sha256 is not None:
        sent = SentBytes(row.sent_bytes, row.sent_sha256)
    return StoredFile(row.id, row.owner, Origin(row.origin), row.filename, row.created_at, upload_of(upload), sent)


def is_live(now: float) -> ColumnElement[bool]:
    """Return the condition under which an id can be used at `now`."""
    return and_(FileRow.deleted_at.is_(None), UploadRow.expires_at > now)
