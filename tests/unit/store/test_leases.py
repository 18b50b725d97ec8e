"""Leases: who answers for an upload, and when nobody may take it away."""

import pytest

from app.errors import UploadFailedError
from app.store.database import Database
from app.store.file_retention import FileRetention
from app.store.files import FileRegistry
from app.store.records import Origin
from tests.unit.store.uploading import NOW, held, uploaded


async def test_a_renewal_that_comes_late_sets_no_lease_on_a_file_that_has_an_id(database: Database) -> None:
    registry = FileRegistry(database)
    await uploaded(registry, "u")
    await held(registry, "f", "u")

    await registry.set_leases({"u"}, lease_until=NOW - 1)

    upload = await registry.get("u")
    assert upload is not None
    assert upload.lease_until is None
    assert await FileRetention(database).abandoned(now=NOW) == ()


async def test_an_upload_that_is_being_deleted_is_not_reused(database: Database) -> None:
    registry = FileRegistry(database)
    await uploaded(registry, "u")
    await held(registry, "f", "u")
    await registry.delete_file("me", "f", now=NOW, lease_until=NOW)

    with pytest.raises(UploadFailedError):
        await registry.add_file(
            "g", owner="me", upload_name="u", origin=Origin.SENT, filename=None, now=NOW, is_reused=True
        )


async def test_an_upload_that_is_gone_gets_no_new_id(database: Database) -> None:
    registry = FileRegistry(database)
    await uploaded(registry, "u")
    await held(registry, "f", "u")
    await registry.delete_file("me", "f", now=NOW, lease_until=NOW)
    await registry.forget("u")

    with pytest.raises(UploadFailedError):
        await registry.add_file("g", owner="me", upload_name="u", origin=Origin.SENT, filename=None, now=NOW)
