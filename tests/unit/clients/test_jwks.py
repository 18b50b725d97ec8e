import asyncio
from typing import Any

import pytest

from app.clients.jwks import SigningKeys
from app.errors import IssuerUnavailableError
from tests.unit.clients.provider import DISCOVERY, ISSUER, JWKS, Clock, Provider, jwk

HOUR = 3_600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider:
    return Provider(jwk("rsa"))


@pytest.fixture
def keys(provider: Provider, clock: Clock) -> SigningKeys:
    return signing_keys(provider, clock)


def signing_keys(provider: Provider, clock: Clock, jwks_url: str | None = JWKS) -> SigningKeys:
    return SigningKeys(ISSUER, jwks_url, provider.fetch, monotonic=clock)


async def test_a_key_is_found_by_its_id_and_asked_for_once(keys: SigningKeys, provider: Provider) -> None:
    found = [await keys.find("rsa") for _ in range(3)]

    assert found == [jwk("rsa")] * 3
    assert provider.asked == [JWKS]


async def test_without_a_url_the_keys_are_where_the_discovery_document_says(clock: Clock, provider: Provider) -> None:
    keys = signing_keys(provider, clock, None)

    assert await keys.find("rsa") == jwk("rsa")
    assert provider.asked == [DISCOVERY, JWKS]


@pytest.mark.parametrize(
    ("issuer", "jwks_uri"),
    [
        ("https://issuer.example", JWKS),
        ("https://other.example/", JWKS),
        (ISSUER, "http://issuer.example/keys"),
        (ISSUER, "file:///etc/passwd"),
        (ISSUER, 7),
        (ISSUER, None),
    ],
)
async def test_a_discovery_document_of_another_or_with_an_unsafe_address_is_not_followed(
    clock: Clock, issuer: str, jwks_uri: Any
) -> None:
    provider = Provider(jwk("rsa"), issuer=issuer, jwks_uri=jwks_uri)

    with pytest.raises(IssuerUnavailableError):
        await signing_keys(provider, clock, None).find("rsa")

    assert provider.asked == [DISCOVERY]


async def test_an_unknown_id_is_asked_for_again_at_most_once_in_30_seconds(
    keys: SigningKeys, provider: Provider, clock: Clock
) -> None:
    await keys.find("rsa")
    provider.publish(jwk("rsa"), jwk("rsa-2"))

    too_early = await keys.find("rsa-2")
    clock.now += 30
    in_time = await keys.find("rsa-2")
    unknown = [await keys.find(f"unknown-{number}") for number in range(10)]

    assert too_early is None
    assert in_time == jwk("rsa-2")
    assert unknown == [None] * 10
    assert len(provider.asked) == 2


async def test_after_an_hour_a_key_that_was_withdrawn_is_no_longer_good(
    keys: SigningKeys, provider: Provider, clock: Clock
) -> None:
    await keys.find("rsa")
    provider.publish(jwk("rsa-2"))

    clock.now += HOUR - 1
    before = await keys.find("rsa")
    clock.now += 1

    assert before == jwk("rsa")
    assert await keys.find("rsa") is None


async def test_while_the_provider_is_away_known_keys_stay_good_for_a_day(
    keys: SigningKeys, provider: Provider, clock: Clock
) -> None:
    await keys.find("rsa")
    provider.is_away = True

    for _ in range(23):
        clock.now += HOUR
        assert await keys.find("rsa") == jwk("rsa")
    clock.now += HOUR

    with pytest.raises(IssuerUnavailableError):
        await keys.find("rsa")


async def test_an_outage_is_not_made_worse(keys: SigningKeys, provider: Provider, clock: Clock) -> None:
    await keys.find("rsa")
    provider.is_away = True
    clock.now += HOUR

    for _ in range(60):
        clock.now += 1
        await keys.find("rsa")

    assert len(provider.asked) == 1 + 2


async def test_a_provider_that_is_away_from_the_start_is_tried_again_soon(
    keys: SigningKeys, provider: Provider, clock: Clock
) -> None:
    provider.is_away = True
    with pytest.raises(IssuerUnavailableError) as caught:
        await keys.find("rsa")
    with pytest.raises(IssuerUnavailableError):
        await keys.find("rsa")
    provider.is_away = False
    clock.now += 5

    assert await keys.find("rsa") == jwk("rsa")
    assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
    assert len(provider.asked) == 2


async def test_many_calls_at_once_ask_once(provider: Provider, clock: Clock) -> None:
    let_go = asyncio.Event()

    async def slow(url: str) -> bytes:
        await let_go.wait()
        return await provider.fetch(url)

    keys = SigningKeys(ISSUER, JWKS, slow, monotonic=clock)
    calls = [asyncio.create_task(keys.find("rsa")) for _ in range(20)]
    await asyncio.sleep(0)
    let_go.set()

    assert await asyncio.gather(*calls) == [jwk("rsa")] * 20
    assert len(provider.asked) == 1


async def test_a_known_key_is_not_waited_for_while_the_provider_is_asked(provider: Provider, clock: Clock) -> None:
    let_go = asyncio.Event()
    let_go.set()

    async def slow(url: str) -> bytes:
        await let_go.wait()
        return await provider.fetch(url)

    keys = SigningKeys(ISSUER, JWKS, slow, monotonic=clock)
    await keys.find("rsa")
    let_go.clear()
    clock.now += HOUR
    asking = asyncio.create_task(keys.find("rsa"))
    await asyncio.sleep(0)

    assert await keys.find("rsa") == jwk("rsa")

    assert not asking.done()
    let_go.set()
    assert await asking == jwk("rsa")


async def test_a_call_that_is_cancelled_while_it_asks_leaves_the_way_free(provider: Provider, clock: Clock) -> None:
    never = asyncio.Event()

    async def stuck(url: str) -> bytes:
        if not provider.asked:
            provider.asked.append(url)
            await never.wait()
        return await provider.fetch(url)

    keys = SigningKeys(ISSUER, JWKS, stuck, monotonic=clock)
    asking = asyncio.create_task(keys.find("rsa"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    clock.now += 5

    assert await keys.find("rsa") == jwk("rsa")


@pytest.mark.parametrize(
    "key",
    [
        {**jwk("rsa"), "kid": 7},
        {name: value for name, value in jwk("rsa").items() if name != "kid"},
        {**jwk("rsa"), "use": "enc"},
        {**jwk("rsa"), "d": "AQAB"},
        {"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"},
        {"kid": "rsa"},
        "rsa",
        None,
    ],
)
async def test_a_jwk_that_is_no_public_signing_key_is_ignored(clock: Clock, key: Any) -> None:
    keys = signing_keys(Provider(key, jwk("rsa-2")), clock)

    assert await keys.find("rsa") is None
    assert await keys.find("rsa-2") == jwk("rsa-2")


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b"7", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff"])
async def test_a_document_that_is_no_jwks_leaves_the_known_keys(
    keys: SigningKeys, provider: Provider, clock: Clock, document: bytes
) -> None:
    await keys.find("rsa")
    provider.documents[JWKS] = document
    clock.now += HOUR

    assert await keys.find("rsa") == jwk("rsa")


async def test_no_more_than_a_hundred_keys_are_kept(clock: Clock) -> None:
    many = [{**jwk("rsa"), "kid": str(number)} for number in range(200)]
    keys = signing_keys(Provider(*many), clock)

    assert await keys.find("99") is not None
    assert await keys.find("100") is None
