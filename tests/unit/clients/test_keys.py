import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.identity import Client, Limits, Scope
from app.clients.keys import DEFAULT_SCOPES, KEY_PATTERN, KeyedClient, KeyManagementError, Keys, limits_of, scopes_of
from app.errors import UnauthenticatedError
from app.store.clients import ClientStore
from app.store.database import Database

NOW = 1_000_000.0
DAY = 86_400.0


async def client_of(keys: Keys, text: str, *, now: float = NOW) -> Client:
    return (await keys.check(text, now=now)).client


async def refusal(keys: Keys, text: str, *, now: float = NOW) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        await keys.check(text, now=now)
    assert text not in caught.value.detail
    return caught.value.detail


async def test_a_key_is_of_a_form_that_secret_scanners_find(keys: Keys) -> None:
    made = await keys.create("web", now=NOW)

    assert re.fullmatch(r"gg_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", made.text)
    assert KEY_PATTERN.fullmatch(made.text)


async def test_two_keys_have_nothing_in_common(keys: Keys) -> None:
    texts = [(await keys.create(f"c{number}", now=NOW)).text for number in range(20)]

    assert len({text[3:15] for text in texts}) == len({text[16:] for text in texts}) == 20


async def test_a_key_stands_for_its_client_with_all_that_it_may(keys: Keys) -> None:
    made = await keys.create(
        "web",
        now=NOW,
        scopes={Scope.GENERATE},
        models={"gemini-3.8-flash"},
        origins={"https://app.example"},
        limits=Limits(requests_per_minute=60, cost_per_day=0.5),
        total_limits=Limits(cost_per_day=9, stored_bytes=7),
    )

    client = await client_of(keys, made.text)

    assert (
        client
        == made.client
        == KeyedClient(
            id=made.client.id,
            name="web",
            scopes=frozenset({Scope.GENERATE}),
            models=frozenset({"gemini-3.8-flash"}),
            origins=frozenset({"https://app.example"}),
            limits=Limits(requests_per_minute=60, cost_per_day=0.5),
            total_limits=Limits(cost_per_day=9, stored_bytes=7),
            key_id=made.text[3:15],
        )
    )
    assert re.fullmatch(r"cli_[0-9a-f]{20}", client.id)


async def test_a_new_key_has_the_default_scopes_and_no_limits(keys: Keys) -> None:
    client = await client_of(keys, (await keys.create("web", now=NOW)).text)

    assert client.scopes == DEFAULT_SCOPES == {Scope.GENERATE, Scope.FILES, Scope.TASKS, Scope.NATIVE}
    assert (client.models, client.origins, client.limits) == (None, None, Limits())


async def test_only_a_hash_of_the_secret_is_kept(keys: Keys, tmp_path: Path) -> None:
    made = await keys.create("web", now=NOW)

    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()

    assert made.text[16:] not in dump
    assert made.text[3:15] in dump


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:],
        lambda text: "gg_" + "0" * 12 + text[15:],
        lambda text: text.upper(),
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:16],
    ],
)
async def test_a_key_that_was_changed_is_not_taken(keys: Keys, spoil: Callable[[str], str]) -> None:
    made = await keys.create("web", now=NOW)

    assert "not a key of this gateway" in await refusal(keys, spoil(made.text))


async def test_the_secret_of_one_key_does_not_open_another(keys: Keys) -> None:
    one, other = await keys.create("one", now=NOW), await keys.create("other", now=NOW)

    await refusal(keys, one.text[:16] + other.text[16:])


async def test_an_unknown_id_and_a_wrong_secret_are_told_apart_by_nothing(keys: Keys) -> None:
    made = await keys.create("web", now=NOW)
    wrong_secret = made.text[:16] + "A" * 43

    assert await refusal(keys, wrong_secret) == await refusal(keys, "gg_" + "z" * 12 + "_" + "A" * 43)


async def test_a_key_ends_at_its_expiry(keys: Keys) -> None:
    made = await keys.create("web", now=NOW, expires_in_s=90 * DAY)

    assert made.expires_at == NOW + 90 * DAY
    assert (await keys.check(made.text, now=NOW + 90 * DAY - 1)).expires_at == made.expires_at
    assert "expired" in await refusal(keys, made.text, now=NOW + 90 * DAY)


async def test_a_rotation_keeps_the_client_and_lets_both_keys_overlap(keys: Keys) -> None:
    old = await keys.create("web", now=NOW, limits=Limits(requests_per_minute=1), total_limits=Limits(cost_per_day=2.5))

    new = await keys.rotate("web", now=NOW, overlap_s=DAY)

    assert (await client_of(keys, old.text, now=NOW + DAY - 1)).id == old.client.id
    assert (await client_of(keys, new.text)).id == old.client.id
    assert (await client_of(keys, new.text)).limits == old.client.limits
    assert (await client_of(keys, new.text)).total_limits == old.client.total_limits == Limits(cost_per_day=2.5)
    assert "expired" in await refusal(keys, old.text, now=NOW + DAY)


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(keys: Keys) -> None:
    old = await keys.create("web", now=NOW)

    await keys.rotate("web", now=NOW, overlap_s=0)

    await refusal(keys, old.text)


async def test_revoking_ends_every_key_of_the_client(keys: Keys) -> None:
    old = await keys.create("web", now=NOW)
    new = await keys.rotate("web", now=NOW, overlap_s=DAY)

    await keys.revoke("web", now=NOW)

    assert "revoked" in await refusal(keys, old.text)
    assert "revoked" in await refusal(keys, new.text)


async def test_a_failed_key_command_names_the_client(keys: Keys) -> None:
    await keys.create("web", now=NOW)

    with pytest.raises(KeyManagementError, match="a client named web"):
        await keys.create("web", now=NOW)
    with pytest.raises(KeyManagementError, match="no active client named app"):
        await keys.rotate("app", now=NOW, overlap_s=0)
    with pytest.raises(KeyManagementError, match="no active client named app"):
        await keys.revoke("app", now=NOW)


@pytest.mark.parametrize("name", ["", "-web", "a b", "a/b", "a\nb", "é", "a" * 65])
async def test_a_name_is_one_plain_word(keys: Keys, name: str) -> None:
    with pytest.raises(KeyManagementError, match="letters"):
        await keys.create(name, now=NOW)


async def test_the_first_key_is_made_once_and_never_after_another(keys: Keys) -> None:
    first = await keys.create_first(now=NOW)

    assert first is not None
    assert first.client.name == "default"
    assert await keys.create_first(now=NOW) is None
    await keys.revoke("default", now=NOW)
    assert await keys.create_first(now=NOW) is None


async def test_a_first_key_that_another_replica_makes_in_this_moment_is_its_own(database: Database) -> None:
    class Late(ClientStore):
        async def has_any(self) -> bool:
            return False

    await Keys(ClientStore(database)).create_first(now=NOW)

    assert await Keys(Late(database)).create_first(now=NOW) is None


async def test_a_key_that_is_named_by_its_id_is_checked_as_well(keys: Keys) -> None:
    made = await keys.create("web", now=NOW, expires_in_s=DAY)
    key_id = made.text[3:15]

    assert (await keys.check_id(key_id, now=NOW)).client == made.client
    with pytest.raises(UnauthenticatedError, match="expired"):
        await keys.check_id(key_id, now=NOW + DAY)
    with pytest.raises(UnauthenticatedError, match="no longer exists"):
        await keys.check_id("z" * 12, now=NOW)


@given(st.text())
def test_no_other_text_looks_like_a_key(text: str) -> None:
    assert KEY_PATTERN.fullmatch(text) is None


def test_limits_are_read_by_their_names() -> None:
    limits = limits_of({"requests_per_minute": 60.0, "cost_per_month": 2.5, "stored_bytes": 0})

    assert limits == Limits(requests_per_minute=60, cost_per_month=2.5, stored_bytes=0)
    assert isinstance(limits.requests_per_minute, int)


@pytest.mark.parametrize(
    "values", [{"requests": 1}, {"requests_per_minute": -1}, {"cost_per_day": float("nan")}, {"tokens_per_day": 1e999}]
)
def test_a_limit_that_is_none_is_named(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        limits_of(values)


def test_scopes_are_read_by_their_names() -> None:
    assert scopes_of(["generate", "files"]) == {Scope.GENERATE, Scope.FILES}
    with pytest.raises(ValueError, match="sudo is not a scope; the scopes are generate, files"):
        scopes_of(["files", "sudo"])
