"""Uploads that end: abandoned, expired for days, missing at Gemini."""

import pytest

from app.store.file_retention import FileRetention
from app.store.files import FileRegistry
from app.store.records import UploadState
from tests.unit.store.uploading import EXPIRES, ME, NOW, begun, held, ids, page, uploaded


async def test_an_upload_is_abandoned_when_its_lease_is_not_renewed(
    registry: FileRegistry, retention: FileRetention
) -> None:
    await begun(registry, "late", lease_until=1_300)
    await begun(registry, "alive", lease_until=1_300)
    await registry.set_leases({"alive"}, lease_until=1_400)
    await registry.set_leases((), lease_until=9_999)
    await uploaded(registry, "kept")
    await held(registry, "f", "kept")

    assert await retention.abandoned(now=1_300) == ()
    assert [upload.name for upload in await retention.abandoned(now=1_301)] == ["late"]
    assert sorted(upload.name for upload in await retention.abandoned(now=1_401)) == ["alive", "late"]


async def test_the_abandoned_come_in_portions_the_longest_abandoned_first(
    registry: FileRegistry, retention: FileRetention
) -> None:
    for number in (3, 1, 2):
        await begun(registry, f"u{number}", lease_until=1_000.0 + number)

    assert [upload.name for upload in await retention.abandoned(now=1_100, limit=2)] == ["u1", "u2"]


async def test_rows_with_their_ids_are_dropped_by_name_if_they_have_expired(
    registry: FileRegistry, retention: FileRetention
) -> None:
    await uploaded(registry, "old", expires_at=1_500)
    await held(registry, "gone", "old")
    await held(registry, "deleted", "old")
    await registry.delete_file(ME, "deleted", now=NOW, lease_until=NOW)
    await uploaded(registry, "new", expires_at=1_501)
    await held(registry, "here", "new")

    await retention.drop({"old", "new", "never was"}, expired_before=1_501)

    assert await registry.get("old") is None
    assert ids(await page(registry, now=0)) == ["here"]
    assert await registry.get("new") is not None


async def test_expired_rows_are_found_unless_a_process_answers_for_them(
    registry: FileRegistry, retention: FileRetention
) -> None:
    await begun(registry, "carried")
    for name, expires_at in (("old", 1_500), ("new", 1_501)):
        await uploaded(registry, name, expires_at=expires_at)
        await held(registry, f"id of {name}", name)

    assert await retention.expired(before=1_501) == {"old"}
    assert await retention.expired(before=EXPIRES + 1) == {"old", "new"}


async def test_finished_uploads_are_those_that_must_lie_at_gemini(
    registry: FileRegistry, retention: FileRetention
) -> None:
    await begun(registry, "on its way")
    for name, state in (("active", UploadState.ACTIVE), ("failed", UploadState.FAILED)):
        await uploaded(registry, name, state=state)
        await held(registry, f"id of {name}", name)

    assert await retention.finished(created_before=NOW + 1, now=NOW) == {"active"}
    assert await retention.finished(created_before=NOW, now=NOW) == frozenset()
    assert await retention.finished(created_before=NOW + 1, now=EXPIRES) == frozenset()


@pytest.mark.parametrize("count", [0, 1, 1_201])
async def test_any_number_of_known_names_is_found(registry: FileRegistry, retention: FileRetention, count: int) -> None:
    await uploaded(registry, "u")

    names = [f"name{number}" for number in range(count)]

    assert await retention.known([*names, "u"]) == {"u"}
