import asyncio
from dataclasses import replace

import pytest

from app.store.clients import ClientRecord, ClientStore, HeldKeys, KeyRecord, TokenUses
from app.store.database import Database

NOW = 1_000.0
CLIENT = ClientRecord(
    id="cli_1",
    name="web",
    scopes=("files", "generate"),
    models=("gemini-3.8-flash",),
    origins=None,
    limits={"requests_per_minute": 60, "cost_per_day": 1.5},
    created_at=NOW,
)
KEY = KeyRecord("k" * 12, "a" * 64, NOW)
NEW_KEY = KeyRecord("n" * 12, "b" * 64, NOW + 10, NOW + 1_000)


@pytest.fixture
def store(database: Database) -> ClientStore:
    return ClientStore(database)


@pytest.fixture
def uses(database: Database) -> TokenUses:
    return TokenUses(database)


async def keys_of(store: ClientStore, name: str = "web") -> dict[str, KeyRecord]:
    held = await store.find(name)
    assert held is not None
    return {key.id: key for key in held.keys}


async def test_a_key_is_found_with_its_client_as_they_were_stored(store: ClientStore) -> None:
    assert await store.add(CLIENT, KEY)

    assert await store.find_key(KEY.id) == (KEY, CLIENT)
    assert await store.find("web") == HeldKeys(CLIENT, (KEY,))
    assert await store.page() == (HeldKeys(CLIENT, (KEY,)),)


async def test_an_unknown_file_is_not_found(store: ClientStore) -> None:
    assert await store.find_key(KEY.id) is None
    assert await store.find("web") is None
    assert await store.page() == ()
    assert not await store.has_any()


async def test_a_name_stands_for_one_client_and_the_second_leaves_nothing(store: ClientStore) -> None:
    await store.add(CLIENT, KEY)

    assert not await store.add(replace(CLIENT, id="cli_2"), NEW_KEY)

    assert await store.find_key(NEW_KEY.id) is None
    assert len(await store.page()) == 1


async def test_of_concurrent_creations_of_a_name_one_succeeds(store: ClientStore) -> None:
    async def take(number: int) -> bool:
        return await store.add(replace(CLIENT, id=f"cli_{number}"), replace(KEY, id=f"key{number}"))

    assert sorted(await asyncio.gather(*(take(number) for number in range(4)))) == [False, False, False, True]


async def test_the_name_of_a_revoked_client_is_not_given_again(store: ClientStore) -> None:
    await store.add(CLIENT, KEY)
    await store.revoke("web", now=NOW)

    assert not await store.add(replace(CLIENT, id="cli_2"), NEW_KEY)
    assert await store.has_any()


async def test_clients_and_keys_are_listed_oldest_first(store: ClientStore) -> None:
    await store.add(replace(CLIENT, id="cli_2", name="later", created_at=NOW + 5), replace(KEY, id="key2"))
    await store.add(CLIENT, KEY)
    await store.rotate("web", NEW_KEY, old_until=NOW + 99)

    listed = await store.page()

    assert [held.client.name for held in listed] == ["web", "later"]
    assert [key.id for key in listed[0].keys] == [KEY.id, NEW_KEY.id]


async def test_after_a_rotation_the_old_key_ends_and_the_new_one_is_as_it_was_made(store: ClientStore) -> None:
    await store.add(CLIENT, KEY)

    assert await store.rotate("web", NEW_KEY, old_until=NOW + 99) == CLIENT

    assert await keys_of(store) == {KEY.id: replace(KEY, expires_at=NOW + 99), NEW_KEY.id: NEW_KEY}


async def test_a_rotation_never_lengthens_a_keys_life(store: ClientStore) -> None:
    await store.add(CLIENT, replace(KEY, expires_at=NOW + 5))

    await store.rotate("web", NEW_KEY, old_until=NOW + 99)

    assert (await keys_of(store))[KEY.id].expires_at == NOW + 5


async def test_a_rotation_touches_no_other_client(store: ClientStore) -> None:
    other = replace(KEY, id="other")
    await store.add(CLIENT, KEY)
    await store.add(replace(CLIENT, id="cli_2", name="other"), other)

    await store.rotate("web", NEW_KEY, old_until=NOW)

    assert await keys_of(store, "other") == {"other": other}


async def test_revoking_ends_the_client_and_each_of_its_keys(store: ClientStore) -> None:
    await store.add(CLIENT, KEY)
    await store.rotate("web", NEW_KEY, old_until=NOW + 99)

    assert await store.revoke("web", now=NOW + 20)

    held = await store.find("web")
    assert held is not None
    assert held.client.revoked_at == NOW + 20
    assert [key.revoked_at for key in held.keys] == [NOW + 20, NOW + 20]


async def test_a_revoked_or_unknown_key_is_neither_rotated_nor_revoked_again(store: ClientStore) -> None:
    await store.add(CLIENT, KEY)
    await store.revoke("web", now=NOW)

    assert not await store.revoke("web", now=NOW + 1)
    assert await store.rotate("web", NEW_KEY, old_until=NOW) is None
    assert not await store.revoke("nobody", now=NOW)
    assert await store.rotate("nobody", NEW_KEY, old_until=NOW) is None
    assert list(await keys_of(store)) == [KEY.id]


@pytest.mark.parametrize(
    ("key", "is_live"),
    [
        (KEY, True),
        (replace(KEY, expires_at=NOW + 0.1), True),
        (replace(KEY, expires_at=NOW), False),
        (replace(KEY, revoked_at=NOW - 1), False),
    ],
)
def test_a_key_is_good_until_it_expires_or_is_revoked(key: KeyRecord, is_live: bool) -> None:
    assert key.is_live(NOW) is is_live


async def test_a_token_is_counted_up_to_its_maximum(uses: TokenUses) -> None:
    counted = [await uses.count("t", at_most=3, expires_at=NOW) for _ in range(5)]

    assert counted == [True, True, True, False, False]
    assert await uses.count("other", at_most=1, expires_at=NOW)


async def test_callers_at_once_get_exactly_the_maximum_together(uses: TokenUses) -> None:
    counted = await asyncio.gather(*(uses.count("t", at_most=5, expires_at=NOW) for _ in range(20)))

    assert sum(counted) == 5


async def test_only_expired_tokens_are_forgotten(uses: TokenUses) -> None:
    await uses.count("old", at_most=1, expires_at=NOW)
    await uses.count("new", at_most=1, expires_at=NOW + 10)

    await uses.forget_expired(before=NOW + 5)

    assert await uses.count("old", at_most=1, expires_at=NOW)
    assert not await uses.count("new", at_most=1, expires_at=NOW + 10)
