import asyncio

import pytest

from app.errors import UploadFailedError
from app.store.file_retention import FileRetention
from app.store.file_room import FileRoom
from app.store.files import FileRegistry
from app.store.records import MediaFacts, Origin, RoomLimit, StoredFile, Upload, UploadState
from tests.unit.store.uploading import EXPIRES, FACTS, ME, NOW, begun, held, ids, page, uploaded


async def delete(registry: FileRegistry, file_id: str, *, owner: str = ME, now: float = NOW) -> tuple[bool, str | None]:
    return await registry.delete_file(owner, file_id, now=now, lease_until=now)


async def test_an_upload_is_there_with_its_owner_before_it_starts(registry: FileRegistry) -> None:
    await begun(registry, "u", size=7)

    assert await registry.get("u") == Upload(
        name="u",
        owner=ME,
        state=UploadState.UPLOADING,
        mime_type="image/png",
        size_bytes=7,
        sha256=None,
        uri=None,
        error=None,
        session=None,
        facts=MediaFacts(),
        created_at=NOW,
        expires_at=EXPIRES,
        lease_until=1_300,
    )
    assert await registry.get("v") is None


async def test_a_finished_upload_has_all_known_facts_and_no_session(registry: FileRegistry) -> None:
    await begun(registry, "u")
    await registry.set_session("u", b"sealed")
    on_its_way = await registry.get("u")
    await registry.complete(
        "u",
        state=UploadState.PROCESSING,
        size_bytes=11,
        sha256="a" * 64,
        uri="https://u",
        facts=FACTS,
        expires_at=3_000,
        error=None,
    )

    assert on_its_way is not None
    assert on_its_way.session == b"sealed"
    done = await registry.get("u")
    assert done is not None
    assert (done.state, done.size_bytes, done.sha256, done.uri) == (UploadState.PROCESSING, 11, "a" * 64, "https://u")
    assert (done.facts, done.expires_at, done.session, done.lease_until) == (FACTS, 3_000, None, 1_300)


async def test_the_state_and_the_duration_are_geminis(registry: FileRegistry) -> None:
    await uploaded(registry, "u", state=UploadState.PROCESSING)

    await registry.set_state("u", UploadState.FAILED, error="Broken.", duration=None)
    failed = await registry.get("u")
    await registry.set_state("u", UploadState.ACTIVE, error=None, duration=99.5)
    active = await registry.get("u")

    assert failed is not None
    assert (failed.state, failed.error, failed.facts.duration) == (UploadState.FAILED, "Broken.", 12.5)
    assert active is not None
    assert (active.state, active.error, active.facts.duration) == (UploadState.ACTIVE, None, 99.5)


async def test_an_id_ends_the_lease_and_stands_for_the_upload(registry: FileRegistry) -> None:
    await uploaded(registry, "u")

    file = await held(registry, "f", "u", filename="cat.png", origin=Origin.KEPT)

    upload = await registry.get("u")
    assert upload is not None
    assert upload.lease_until is None
    assert file == StoredFile("f", ME, Origin.KEPT, "cat.png", NOW, upload)
    assert await registry.find(ME, "f", now=NOW) == file


async def test_a_file_of_another_owner_is_not_there(registry: FileRegistry, room: FileRoom) -> None:
    await uploaded(registry, "u", sha256="a" * 64)
    await held(registry, "f", "u")

    assert await registry.find("you", "f", now=NOW) is None
    assert await registry.find_known("you", "a" * 64, after=NOW) is None
    assert ids(await page(registry, owner="you")) == []
    with pytest.raises(LookupError):
        await page(registry, owner="you", after="f")
    assert await delete(registry, "f", owner="you") == (False, None)
    assert await room.left(RoomLimit("you", 100), now=NOW) == 100
    assert await registry.find(ME, "f", now=NOW) is not None


async def test_a_cursor_of_another_owner_is_as_unknown_as_any_other(registry: FileRegistry) -> None:
    await uploaded(registry, "u", owner="you")
    await held(registry, "theirs", "u", owner="you", now=NOW + 5)
    await uploaded(registry, "v")
    await held(registry, "mine", "v")

    for cursor in ("theirs", "unheard-of"):
        with pytest.raises(LookupError):
            await page(registry, after=cursor)


@pytest.mark.parametrize("now", [EXPIRES, EXPIRES + 1])
async def test_a_file_is_gone_when_it_expires(registry: FileRegistry, room: FileRoom, now: float) -> None:
    await uploaded(registry, "u", sha256="a" * 64)
    await held(registry, "f", "u")

    assert await registry.find(ME, "f", now=EXPIRES - 1) is not None
    assert await registry.find(ME, "f", now=now) is None
    assert await registry.find_known(ME, "a" * 64, after=now) is None
    assert ids(await page(registry, now=now)) == []
    assert await room.stored_bytes(now=now) == 0
    assert await room.next_expiry(now=now) is None
    assert await delete(registry, "f", now=now) == (False, None)


@pytest.mark.parametrize(
    ("state", "is_known"),
    [
        (UploadState.ACTIVE, True),
        (UploadState.PROCESSING, True),
        (UploadState.FAILED, False),
        (UploadState.UPLOADING, False),
    ],
)
async def test_only_a_file_that_can_be_used_is_known_by_its_digest(
    registry: FileRegistry, state: UploadState, *, is_known: bool
) -> None:
    await uploaded(registry, "u", sha256="a" * 64, state=state)
    await held(registry, "f", "u")

    assert (await registry.find_known(ME, "a" * 64, after=NOW) is not None) is is_known


async def test_a_digest_without_an_id_is_not_known(registry: FileRegistry) -> None:
    await uploaded(registry, "u", sha256="a" * 64)

    assert await registry.find_known(ME, "a" * 64, after=NOW) is None


async def test_of_several_files_with_the_same_bytes_the_newest_is_known(registry: FileRegistry) -> None:
    for number in range(3):
        await uploaded(registry, f"u{number}", sha256="a" * 64)
        await held(registry, f"f{number}", f"u{number}", now=NOW + number)
    await delete(registry, "f2")

    known = await registry.find_known(ME, "a" * 64, after=NOW)

    assert known is not None
    assert known.id == "f1"


async def test_pages_have_each_file_once_newest_first_though_times_tie(registry: FileRegistry) -> None:
    await uploaded(registry, "u")
    for number in range(11):
        await held(registry, f"f{number:02}", "u", now=NOW + number // 4)

    seen: list[str] = []
    sizes = []
    more = True
    while more:
        part = await page(registry, limit=3, after=seen[-1] if seen else None)
        seen += ids(part)
        sizes.append(len(part.files))
        more = part.has_more

    everything = ids(await page(registry))
    assert seen == everything
    assert sorted(everything) == [f"f{number:02}" for number in range(11)]
    assert everything == sorted(everything, key=lambda file: (int(file[1:]) // 4, file), reverse=True)
    assert sizes == [3, 3, 3, 2]


async def test_a_page_that_is_just_full_is_the_last(registry: FileRegistry) -> None:
    await uploaded(registry, "u")
    await held(registry, "a", "u")
    await held(registry, "b", "u")

    assert (await page(registry, limit=2)).has_more is False
    assert (await page(registry, limit=1)).has_more is True
    assert (await page(registry, limit=1, after="b")).has_more is False


async def test_new_files_and_deletions_between_pages_neither_repeat_nor_hide_a_file(registry: FileRegistry) -> None:
    await uploaded(registry, "u")
    for number in range(4):
        await held(registry, f"f{number}", "u", now=NOW)

    first = ids(await page(registry, limit=2))
    await held(registry, "f9", "u", now=NOW)
    await delete(registry, "f2")
    second = ids(await page(registry, limit=2, after=first[-1]))

    assert (first, second) == (["f3", "f2"], ["f1", "f0"])


async def test_a_page_can_be_narrowed(registry: FileRegistry) -> None:
    await uploaded(registry, "u", sha256="a" * 64)
    await uploaded(registry, "v", sha256="b" * 64, state=UploadState.PROCESSING)
    await held(registry, "a", "u", filename="a.png")
    await held(registry, "b", "v", filename="b.png")
    await held(registry, "c", "v", filename="a.png")

    assert ids(await page(registry, state=UploadState.PROCESSING)) == ["c", "b"]
    assert ids(await page(registry, sha256="a" * 64)) == ["a"]
    assert ids(await page(registry, filename="a.png")) == ["c", "a"]
    assert ids(await page(registry, filename="a.png", state=UploadState.ACTIVE)) == ["a"]
    assert ids(await page(registry, filename="%.png")) == []


async def test_the_upload_goes_with_its_last_id_under_a_lease(registry: FileRegistry, retention: FileRetention) -> None:
    await uploaded(registry, "u")
    await held(registry, "a", "u")
    await held(registry, "b", "u")

    assert await delete(registry, "a") == (True, None)
    assert await registry.find(ME, "a", now=NOW) is None
    assert await registry.find(ME, "b", now=NOW) is not None
    assert await retention.abandoned(now=NOW + 1) == ()

    assert await delete(registry, "b") == (True, "u")
    assert [upload.name for upload in await retention.abandoned(now=NOW + 1)] == ["u"]


async def test_deleting_again_is_a_success_until_the_file_would_have_expired(registry: FileRegistry) -> None:
    await uploaded(registry, "u")
    await held(registry, "f", "u")

    assert await delete(registry, "f") == (True, "u")
    assert await delete(registry, "f") == (True, None)
    await registry.forget("u")
    assert await delete(registry, "f", now=EXPIRES - 1) == (True, None)
    assert await delete(registry, "f", now=EXPIRES) == (False, None)
    assert await delete(registry, "never-was") == (False, None)


async def test_a_forgotten_upload_takes_its_ids_along_and_frees_its_bytes(
    registry: FileRegistry, room: FileRoom, retention: FileRetention
) -> None:
    await uploaded(registry, "u", size=10, sha256="a" * 64)
    await held(registry, "a", "u")
    await held(registry, "b", "u")
    await delete(registry, "a")

    await registry.forget("u")

    assert await registry.find(ME, "b", now=NOW) is None
    assert await room.stored_bytes(now=NOW) == 0
    assert await registry.find_known(ME, "a" * 64, after=NOW) is None
    assert await retention.abandoned(now=EXPIRES) == ()
    assert await delete(registry, "a") == (True, None)


async def test_an_upload_that_no_id_ever_stood_for_is_forgotten_without_a_trace(registry: FileRegistry) -> None:
    await begun(registry, "u")
    await registry.forget("u")
    await registry.forget("u")

    assert await registry.get("u") is None


async def test_of_two_deletions_at_once_one_finds_the_last_id(registry: FileRegistry) -> None:
    await uploaded(registry, "u")
    for number in range(8):
        await held(registry, f"f{number}", "u")

    found = await asyncio.gather(*(delete(registry, f"f{number}") for number in range(8)))

    assert [name for _, name in found].count("u") == 1
    assert all(is_owners for is_owners, _ in found)


async def test_an_upload_that_is_gone_in_this_moment_gets_no_id(registry: FileRegistry) -> None:
    with pytest.raises(UploadFailedError, match="send the request again"):
        await held(registry, "f", "gone")
