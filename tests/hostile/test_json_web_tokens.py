"""Forged JSON Web Tokens: none stands for a client, and no address inside a token is fetched."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.clients.jwt import JwtVerifier
from app.errors import UnauthenticatedError
from app.settings import IssuerSettings
from tests.sizes import examples
from tests.unit.clients.provider import ISSUER, JWKS, NOW, Clock, Provider, claims, jwk, private_key, token

OTHER = "https://other.example"
OTHER_JWKS = "https://other.example/keys"
PUBLIC = private_key("rsa").public_key()
SECRETS = {
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK": json.dumps(jwk("rsa")).encode(),
    "modulus": jwk("rsa")["n"].encode(),
    "empty": b"",
}
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
UNSIGNED: tuple[Any, ...] = (
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    None,
    "RS256",
    "ES256",
    "EdDSA",
    "HS256",
    0,
    True,
    [],
    {},
    ["RS256"],
)
KIDS: tuple[Any, ...] = (
    "",
    "unknown",
    "../../dev/null",
    "/dev/null",
    "' OR 1=1 --",
    "http://evil.example/k",
    "rsa\0",
    "RSA",
    0,
    None,
    [],
)
POINTERS: tuple[Any, ...] = (
    {"jwk": jwk("rsa-forger")},
    {"jku": "https://evil.example/keys"},
    {"x5u": "https://evil.example/cert"},
    {"x5c": ["MIIB"]},
    {"crit": ["exp"]},
    {"b64": False, "crit": ["b64"]},
    {"alg": "RS512"},
)
NUMBERS: tuple[Any, ...] = (True, -1, 1 << 60, 1e300, float("inf"), float("nan"), "", "9999999999", None, [], {})
AUDIENCES: tuple[Any, ...] = ("", "other", "App", "app ", " app", ["other"], [], {}, {"app": 1}, 0, ["app", 0], None)
ISSUERS: tuple[Any, ...] = (
    "",
    "https://issuer.example",
    "https://issuer.example//",
    ISSUER.upper(),
    ISSUER + "\0",
    OTHER,
    [ISSUER],
    {},
    0,
)
SUBJECTS: tuple[Any, ...] = ("", None, 0, [], {})


@dataclass(frozen=True, slots=True)
class Forgery:
    """A token that must be refused, and the trick."""

    trick: str
    text: str


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header: Any, payload: Any) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(payload).encode())}"


def algorithms() -> Iterator[Forgery]:
    for alg, signature in itertools.product(UNSIGNED, ("", encoded(b"\0"), encoded(b"\0" * 256))):
        header = {"alg": alg, "kid": "rsa", "typ": "JWT"}
        yield Forgery(f"alg {alg!r}", f"{unsigned(header, claims())}.{signature}")
    for (alg, digest), (name, secret) in itertools.product(HASHES.items(), SECRETS.items()):
        text = unsigned({"alg": alg, "kid": "rsa"}, claims())
        yield Forgery(f"{alg} by {name}", f"{text}.{encoded(hmac.digest(secret, text.encode(), digest))}")


def keys() -> Iterator[Forgery]:
    for kid in KIDS:
        header = {"alg": "RS256", "kid": kid}
        text = unsigned(header, claims())
        yield Forgery(f"kid {kid!r}", f"{text}.{token('rsa').rpartition('.')[2]}")
    for pointer in POINTERS:
        signed = token("rsa-forger", headers={"kid": "rsa", **{n: v for n, v in pointer.items() if n != "b64"}})
        yield Forgery(f"forger's key with {sorted(pointer)}", signed)
    for alg, kid in (("ES256", "ec"), ("RS384", "rsa"), ("PS256", "rsa"), ("EdDSA", "ed")):
        yield Forgery(
            f"{alg} of a forger as key rsa", token("rsa-forger" if kid == "rsa" else kid, alg, {"kid": "rsa"})
        )


def contents() -> Iterator[Forgery]:
    yield from (Forgery(f"aud {value!r}", token(aud=value)) for value in AUDIENCES if value != ["app", 0])
    # The other issuer is trusted too, but the key is not among its keys.
    yield from (Forgery(f"iss {value!r}", signed_with("iss", value)) for value in ISSUERS)
    for name, value in itertools.product(("exp", "nbf", "iat"), NUMBERS):
        # Without nbf or iat a token is whole, and before 1970 both have long begun.
        if value is not None or name == "exp":
            yield Forgery(f"{name} {value!r}", signed_with(name, value))
    yield from (Forgery(f"expired {ago} s ago", token(exp=int(NOW) - 60 - ago)) for ago in (0, 1, 3_600))
    yield from (Forgery(f"nbf in {ahead} s", token(nbf=int(NOW) + 60 + ahead)) for ahead in (1, 3_600))
    yield from (Forgery(f"sub {value!r}", signed_with("sub", value)) for value in SUBJECTS)


def signed_with(name: str, value: Any) -> str:
    """Sign claims that the library itself would refuse to encode."""
    payload = {**claims(), name: value}
    if value is None:
        del payload[name]
    return signed(json.dumps(payload).encode())


def signed(payload: bytes) -> str:
    """Sign any bytes with the issuer's own key."""
    return jwt.PyJWS().encode(payload, private_key("rsa"), "RS256", headers={"kid": "rsa"})


def issuers() -> Iterator[Forgery]:
    # The keys of one issuer sign nothing for another issuer.
    yield Forgery("another issuer's key", token("rsa-other"))
    yield Forgery("another issuer's key by its issuer's kid", token("rsa-other", headers={"kid": "rsa"}))
    yield Forgery("this issuer's key for another issuer", token("rsa", iss=OTHER))
    # The last of two equal names counts, to PyJWT as well as to the claim that chooses the issuer.
    text = json.dumps(claims()).encode()
    yield Forgery("two issuers", signed(text[:-1] + b', "iss": "https://other.example"}'))
    yield Forgery("two audiences", signed(text[:-1] + b', "aud": "other"}'))
    yield Forgery("two expiries", signed(text[:-1] + b', "exp": 1}'))


def shapes() -> Iterator[Forgery]:
    good = token()
    head, payload, signature = good.split(".")
    texts = {
        "signature cut": good[:-4],
        "no signature": f"{head}.{payload}.",
        "two pieces": f"{head}.{payload}",
        "four pieces": f"{good}.x",
        "five pieces (JWE)": f"{head}.{payload}.{signature}.{signature}.x",
        "empty pieces": "..",
        "payload of another token": f"{head}.{encoded(json.dumps(claims(sub='admin')).encode())}.{signature}",
        "deep payload": signed(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
        "list as payload": signed(b"[]"),
        "too long": token(sub="x" * 20_000),
        "wide characters": good.replace(".", "\uff0e"),
    }
    yield from (Forgery(trick, text) for trick, text in texts.items())


def forgeries() -> list[Forgery]:
    made = itertools.chain(algorithms(), keys(), contents(), issuers(), shapes())
    return list({forgery.text: forgery for forgery in made}.values())


def verifier() -> tuple[JwtVerifier, Provider]:
    provider = Provider(jwk("rsa"))
    provider.documents[OTHER_JWKS] = {"keys": [jwk("rsa-other")]}
    trusted = [
        IssuerSettings(issuer=ISSUER, audience=("app",), jwks_url=JWKS),
        IssuerSettings(issuer=OTHER, audience=("app",), jwks_url=OTHER_JWKS),
    ]
    return JwtVerifier(trusted, provider.fetch, variable="JWT_ISSUERS", monotonic=Clock()), provider


async def is_taken(verify: JwtVerifier, text: str) -> bool:
    try:
        await verify.verify(text, now=NOW)
    except UnauthenticatedError:
        return False
    return True


async def test_no_forged_token_stands_for_a_client_and_no_address_in_it_is_fetched() -> None:
    verify, provider = verifier()
    cases = forgeries()

    taken = [case.trick for case in cases if await is_taken(verify, case.text)]

    assert len(cases) >= 62
    assert await is_taken(verify, token())
    assert await is_taken(verify, token("rsa-other", iss=OTHER))
    assert taken == []
    assert set(provider.asked) <= {JWKS, OTHER_JWKS}


@examples(200, nightly=5_000)
@given(data=st.data())
async def test_a_token_with_any_changed_byte_is_refused(data: st.DataObject) -> None:
    verify, _ = verifier()
    good = token()
    at = data.draw(st.integers(0, good.rindex(".") - 1))
    changed = good[:at] + data.draw(st.characters(codec="ascii").filter(lambda each: each != good[at])) + good[at + 1 :]

    assert not await is_taken(verify, changed)


async def test_unknown_key_ids_cause_no_further_fetches() -> None:
    verify, provider = verifier()

    for number in range(60):
        assert not await is_taken(verify, token(headers={"kid": f"unknown-{number}"}))

    assert len(provider.asked) <= 2
