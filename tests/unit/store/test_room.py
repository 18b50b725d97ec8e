"""Room for files: bytes that are counted, files that go first."""

import asyncio

import pytest

from app.store.file_room import FileRoom
from app.store.files import FileRegistry
from app.store.records import NoRoomError, Origin, RoomLimit
from tests.unit.store.uploading import ME, NOW, begun, held, uploaded


async def test_stored_bytes_are_counted_once_however_many_ids_there_are(registry: FileRegistry, room: FileRoom) -> None:
    await uploaded(registry, "u", size=10)
    await held(registry, "a", "u")
    await held(registry, "b", "u")
    await begun(registry, "v", size=100)
    await uploaded(registry, "w", size=1_000, owner="you")

    assert await room.stored_bytes(now=NOW) == 1_110
    assert await room.left(RoomLimit(ME, 1_000), now=NOW) == 890
    assert await room.left(RoomLimit("nobody", 1_000), now=NOW) == 1_000


async def test_stored_bytes_may_be_more_than_32_bits(registry: FileRegistry, room: FileRoom) -> None:
    for number in range(3):
        await uploaded(registry, f"u{number}", size=2 << 30)

    assert await room.stored_bytes(now=NOW) == 6 << 30


async def test_the_next_expiry_is_the_earliest_that_is_to_come(registry: FileRegistry, room: FileRoom) -> None:
    await uploaded(registry, "u", expires_at=1_500)
    await uploaded(registry, "v", expires_at=1_700)

    assert await room.next_expiry(now=1_000) == 1_500
    assert await room.next_expiry(now=1_500) == 1_700
    assert await room.next_expiry(now=1_700) is None


async def test_the_kept_file_that_was_used_longest_ago_makes_room_first(registry: FileRegistry, room: FileRoom) -> None:
    for name in ("a", "b", "c"):
        await uploaded(registry, name)
        await held(registry, f"f{name}", name, origin=Origin.KEPT)
    await registry.touch("a", now=NOW + 20)
    await registry.touch("b", now=NOW + 10)
    await registry.touch("c", now=NOW + 30)

    first = await room.least_used_kept(now=NOW)

    assert first is not None
    assert first.id == "fb"


async def test_a_file_that_its_owner_sent_never_makes_room(registry: FileRegistry, room: FileRoom) -> None:
    await uploaded(registry, "u")
    await held(registry, "kept", "u", origin=Origin.KEPT)
    await held(registry, "sent", "u", origin=Origin.SENT)

    assert await room.least_used_kept(now=NOW) is None
    await registry.delete_file(ME, "sent", now=NOW, lease_until=NOW)
    victim = await room.least_used_kept(now=NOW)
    assert victim is not None
    assert victim.id == "kept"
    await registry.delete_file(ME, "kept", now=NOW, lease_until=NOW)
    assert await room.least_used_kept(now=NOW) is None


async def test_of_uploads_that_begin_at_once_as_many_are_taken_as_there_is_room_for(
    registry: FileRegistry, room: FileRoom
) -> None:
    await begun(registry, "another's", owner="you", size=10_000)

    ended = await asyncio.gather(
        *(begun(registry, f"u{number}", size=300, most=1_000) for number in range(10)), return_exceptions=True
    )

    assert sum(isinstance(each, str) for each in ended) == 3
    assert sum(isinstance(each, NoRoomError) for each in ended) == 7
    assert await room.left(RoomLimit(ME, 1_000), now=NOW) == 100


async def test_users_of_one_key_never_store_more_than_its_total_limit_together(
    registry: FileRegistry, room: FileRoom
) -> None:
    total = RoomLimit("cli_a", 1_000, with_users=True)
    owners = ["cli_a", *(f"cli_a/user{number}" for number in range(9)), "cli_ab", "cliXa/u"]

    ended = await asyncio.gather(
        *(
            begun(registry, f"u{number}", owner=owner, size=300, most=500, room=(total,))
            for number, owner in enumerate(owners[:10])
        ),
        *(begun(registry, f"v{number}", owner=owner, size=300) for number, owner in enumerate(owners[10:])),
        return_exceptions=True,
    )

    assert sum(isinstance(each, str) for each in ended[:10]) == 3
    assert sum(isinstance(each, NoRoomError) for each in ended[:10]) == 7
    assert await room.left(total, now=NOW) == 100


async def test_uploads_of_unknown_size_share_the_room_as_they_grow(registry: FileRegistry, room: FileRoom) -> None:
    names = [await begun(registry, f"u{number}", most=1_000) for number in range(4)]

    async def grow(name: str, size: int) -> bool:
        try:
            await registry.grow(name, size_bytes=size, now=NOW, room=(RoomLimit(ME, 1_000),))
        except NoRoomError:
            return False
        return True

    first = await asyncio.gather(*(grow(name, 250) for name in names))
    second = await asyncio.gather(*(grow(name, 300) for name in names))

    assert (first, second) == ([True] * 4, [False] * 4)
    assert await room.left(RoomLimit(ME, 1_000), now=NOW) == 0
    with pytest.raises(NoRoomError):
        await begun(registry, "one more", size=1, most=1_000)
