import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.identity import Client, Limits, Scope
from app.clients.jwt import JwtVerifier
from app.clients.keys import DEFAULT_SCOPES
from app.errors import IssuerUnavailableError, UnauthenticatedError
from app.settings import IssuerSettings, SettingsError
from tests.unit.clients.provider import ISSUER, JWKS, NOW, Clock, Provider, claims, jwk, private_key, token

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def verifier(*keys: dict[str, Any], provider: Provider | None = None, **settings: Any) -> JwtVerifier:
    issuer = IssuerSettings(**{"issuer": ISSUER, "audience": ("app",), "jwks_url": JWKS, **settings})
    published = provider or Provider(*(keys or (jwk("rsa"), jwk("ec"))))
    return JwtVerifier([issuer], published.fetch, variable="JWT_ISSUERS", monotonic=Clock())


VERIFIER = verifier()


async def client_of(text: str, using: JwtVerifier = VERIFIER) -> Client:
    return (await using.verify(text, now=NOW)).client


async def refusal(text: str, using: JwtVerifier = VERIFIER, *, now: float = NOW) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        await using.verify(text, now=now)
    return caught.value.detail


def spliced(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"x") -> str:
    pieces = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in pieces)


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa", "RS256"), ("ec", "ES256")])
async def test_a_signed_token_stands_for_its_subject(kid: str, algorithm: str) -> None:
    verified = await VERIFIER.verify(token(kid, algorithm), now=NOW)

    assert verified.client == Client(
        id="jwt:" + hashlib.sha256(b'["https://issuer.example/", "user-1"]').hexdigest(),
        name="user-1",
        scopes=DEFAULT_SCOPES,
        limits=Limits(),
        issuer=ISSUER,
    )
    assert verified.expires_at == NOW + 600 + 60


async def test_a_client_is_the_pair_of_issuer_and_subject() -> None:
    other = "https://other.example"
    issuers = [IssuerSettings(issuer=name, audience=("app",), jwks_url=JWKS) for name in (ISSUER, other)]
    both = JwtVerifier(issuers, Provider(jwk("rsa")).fetch, variable="JWT_ISSUERS", monotonic=Clock())

    ids = [
        (await client_of(token(**who), both)).id
        for who in ({}, {"sub": "user-2"}, {"iss": other}, {"jti": "another", "exp": int(NOW) + 5})
    ]

    assert len(set(ids[:3])) == 3
    assert ids[0] == ids[3]


async def test_each_issuer_signs_with_its_own_keys_only() -> None:
    other = "https://other.example"
    provider = Provider(jwk("rsa"))
    provider.documents["https://other.example/keys"] = {"keys": [jwk("rsa-2")]}
    issuers = [
        IssuerSettings(issuer=ISSUER, audience=("app",), jwks_url=JWKS),
        IssuerSettings(issuer=other, audience=("app",), jwks_url="https://other.example/keys"),
    ]
    both = JwtVerifier(issuers, provider.fetch, variable="JWT_ISSUERS", monotonic=Clock())

    assert "not among its issuer's keys" in await refusal(token("rsa-2"), both)
    assert (await client_of(token("rsa-2", iss=other), both)).issuer == other


async def test_the_provider_may_sign_with_other_algorithms_where_they_are_named() -> None:
    every = verifier(jwk("ed"), jwk("rsa"), algorithms=("EdDSA", "PS512"))

    assert (await client_of(token("ed", "EdDSA"), every)).name == "user-1"
    assert (await client_of(token("rsa", "PS512"), every)).name == "user-1"
    assert "algorithm" in await refusal(token(), every)


async def test_a_public_key_is_never_a_shared_secret() -> None:
    header = {"alg": "HS256", "kid": "rsa", "typ": "JWT"}
    forged = spliced(header, claims()).rsplit(".", 1)[0]
    secret = json.dumps(jwk("rsa")).encode()
    mac = base64.urlsafe_b64encode(hmac.digest(secret, forged.encode(), "sha256")).rstrip(b"=").decode()

    assert "algorithm" in await refusal(f"{forged}.{mac}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "RS512", None, 7, ["RS256"], {}])
async def test_the_algorithm_is_the_configurations_to_say(algorithm: Any) -> None:
    await refusal(spliced({"alg": algorithm, "kid": "rsa"}, claims()))
    await refusal(spliced({"alg": algorithm, "kid": "rsa"}, claims(), b""))


async def test_a_key_that_names_its_algorithm_is_for_no_other() -> None:
    bound = verifier(jwk("rsa", alg="RS512"))

    assert "does not fit its key" in await refusal(token(), bound)
    assert (await client_of(token(), verifier(jwk("rsa", alg="RS256")))).name == "user-1"


async def test_a_key_of_another_kind_or_curve_or_too_short_verifies_nothing() -> None:
    mixed = verifier({**jwk("ec"), "kid": "rsa"}, jwk("ec-384"), jwk("weak"))

    assert "invalid" in await refusal(token("rsa"), mixed)
    assert "invalid" in await refusal(spliced({"alg": "ES256", "kid": "ec-384"}, claims()), mixed)
    # PyJWT signs with a short key only under protest.
    weak = jwt.PyJWT({"enforce_minimum_key_length": False})
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        signed = weak.encode(claims(), private_key("weak"), "RS256", headers={"kid": "weak"})
    assert "invalid" in await refusal(signed, mixed)


async def test_keys_that_the_token_brings_are_not_looked_at() -> None:
    own = {"jwk": jwk("rsa-2"), "jku": "https://attacker.example/keys", "x5u": "https://attacker.example/cert"}
    provider = Provider(jwk("rsa"))
    forged = jwt.encode(claims(), private_key("rsa-2"), "RS256", headers={"kid": "rsa", **own})

    assert "invalid" in await refusal(forged, verifier(provider=provider))
    assert provider.asked == [JWKS]


async def test_nothing_of_a_signed_token_may_change() -> None:
    header, payload, signature = token().split(".")
    other = token(sub="admin").split(".")[1]

    await refusal(f"{header}.{other}.{signature}")
    await refusal(f"{header}.{payload}.{signature[:-8]}AAAAAAAA")
    await refusal(f"{header}.{payload}.")
    await refusal(f"{header}.{payload}")
    await refusal(f"{header}.{payload}.{signature}.{signature}")


@pytest.mark.parametrize("kid", ["unknown", "", None, 7, ["rsa"]])
async def test_a_token_names_one_of_the_issuers_keys(kid: Any) -> None:
    header = {"alg": "RS256", "kid": kid}

    await refusal(spliced({name: value for name, value in header.items() if value is not None}, claims()))


@pytest.mark.parametrize("name", ["exp", "iss", "aud", "sub"])
async def test_a_jwt_without_a_required_claim_is_refused(name: str) -> None:
    without: dict[str, Any] = {name: None}

    await refusal(token(**without))


@pytest.mark.parametrize(
    "issuer", ["https://issuer.example", "https://issuer.example/x", "https://ISSUER.example/", "", "https://evil"]
)
async def test_the_issuer_is_compared_letter_by_letter(issuer: str) -> None:
    assert "does not trust the token's issuer" in await refusal(token(iss=issuer))


@pytest.mark.parametrize("audience", ["other", "App", "app ", "", [], ["other"], "ap"])
async def test_a_token_for_another_audience_is_refused(audience: Any) -> None:
    await refusal(token(aud=audience))


@pytest.mark.parametrize("audience", ["app", ["app"], ["other", "app"], "app-2"])
async def test_a_token_is_for_one_of_the_issuers_audiences(audience: Any) -> None:
    two = verifier(audience=("app", "app-2"))

    assert (await client_of(token(aud=audience), two)).name == "user-1"


async def test_clocks_may_differ_by_a_minute_and_no_more() -> None:
    expired = token(exp=int(NOW))

    assert (await VERIFIER.verify(expired, now=NOW + 59.9)).expires_at == NOW + 60
    assert "expired" in await refusal(expired, now=NOW + 60)
    assert (await client_of(token(nbf=NOW + 60, iat=NOW + 60))).name == "user-1"
    assert "not valid yet" in await refusal(token(nbf=NOW + 61))
    assert "not valid yet" in await refusal(token(iat=NOW + 61))


@pytest.mark.parametrize("value", [True, -1, 1e300, 10**30, "soon", "1000600", [], {}, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
async def test_a_time_is_a_number_of_seconds(name: str, value: Any) -> None:
    header = {"alg": "RS256", "kid": "rsa"}
    signed = jwt.PyJWS().encode(json.dumps(claims(**{name: value})).encode(), private_key("rsa"), "RS256", header)

    assert "is not a time" in await refusal(signed)


@pytest.mark.parametrize("subject", ["", 7, None, ["user-1"], {}])
async def test_a_subject_is_a_text(subject: Any) -> None:
    payload = {**claims(), "sub": subject}
    signed = jwt.PyJWS().encode(json.dumps(payload).encode(), private_key("rsa"), "RS256", {"kid": "rsa"})

    await refusal(signed)


@pytest.mark.parametrize("subject", ["a" * 5_000, "a\x00b\n", "\ud800", "žluť", " "])
async def test_a_subject_of_any_text_makes_an_owner_that_can_be_stored(subject: str) -> None:
    signed = jwt.PyJWS().encode(json.dumps(claims(sub=subject)).encode(), private_key("rsa"), "RS256", {"kid": "rsa"})

    client = await client_of(signed)

    assert client.id.isascii()
    assert len(client.id) == 4 + 64
    assert client.name.isprintable()
    assert len(client.name) <= 100


async def test_a_claim_may_give_the_name_that_logs_show() -> None:
    named = verifier(name_claim="email")

    assert (await client_of(token(email="ada@example.com"), named)).name == "ada@example.com"
    assert (await client_of(token(), named)).name == "user-1"
    assert (await client_of(token(email=7), named)).name == "user-1"
    assert (await client_of(token(email="a\nb" + "c" * 200), named)).name == "ab" + "c" * 97
    assert (await client_of(token(email="x"), named)).id == (await client_of(token(email="y"), named)).id


async def test_an_issuers_scopes_and_limits_come_from_the_configuration() -> None:
    chosen = verifier(scopes=("generate",), limits={"requests_per_minute": 5, "cost_per_day": 0.25})

    client = await client_of(token(), chosen)

    assert client.scopes == {Scope.GENERATE}
    assert client.limits == Limits(requests_per_minute=5, cost_per_day=0.25)


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("generate files openid", {Scope.GENERATE, Scope.FILES}),
        (["generate", 7, "metrics"], {Scope.GENERATE, Scope.METRICS}),
        ("", set()),
        (None, set()),
        ({"generate": True}, set()),
    ],
)
async def test_a_jwt_claim_may_set_a_users_scopes(claim: Any, scopes: set[Scope]) -> None:
    assert (await client_of(token(scope=claim), verifier(scopes_claim="scope"))).scopes == scopes


async def test_a_claim_gives_no_more_than_the_configuration() -> None:
    bounded = verifier(scopes_claim="scope", scopes=("generate", "files"))

    assert (await client_of(token(scope="generate metrics"), bounded)).scopes == {Scope.GENERATE}


@pytest.mark.parametrize("wrong", [{"scopes": ("sudo",)}, {"limits": {"wishes": 3}}])
def test_an_unknown_scope_or_limit_in_a_configuration_stops_the_start(wrong: Any) -> None:
    with pytest.raises(SettingsError, match=r"^JWT_ISSUERS: (sudo|wishes) is not a"):
        verifier(**wrong)


async def test_with_the_provider_away_from_the_start_it_is_not_the_clients_fault() -> None:
    provider = Provider(jwk("rsa"))
    provider.is_away = True

    with pytest.raises(IssuerUnavailableError):
        await verifier(provider=provider).verify(token(), now=NOW)


async def test_a_token_without_end_is_not_read() -> None:
    assert "too long" in await refusal("a" * 16_385)


async def test_a_token_of_endless_depth_is_not_followed() -> None:
    deep = base64.urlsafe_b64encode(b'{"a":' * 2_000).rstrip(b"=").decode()

    await refusal(f"{deep}.{deep}.AAAA")


@given(st.text() | st.builds("{}.{}.{}".format, st.text(), st.text(), st.text()))
async def test_any_bytes_are_refused_without_another_error(text: str) -> None:
    await refusal(text)


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x"]), JSON), payload=JSON)
async def test_any_unsigned_token_is_refused(header: Any, payload: Any) -> None:
    await refusal(spliced({"alg": "RS256", "kid": "rsa", **header}, payload))


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "sub", "aud", "scope", "jti"]), JSON))
async def test_any_signed_jwt_is_a_client_or_refused(more: Any) -> None:
    payload = json.dumps({**claims(), **more}).encode()
    signed = jwt.PyJWS().encode(payload, private_key("ec"), "ES256", {"kid": "ec"})

    try:
        verified = await verifier(scopes_claim="scope").verify(signed, now=NOW)
    except UnauthenticatedError:
        return
    assert len(verified.client.id) == 68
