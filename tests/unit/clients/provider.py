"""An identity provider without a network: its keys, its documents, the tokens that it signs, and its outages."""

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.clients.jwks import FetchFailedError

ISSUER = "https://issuer.example/"
DISCOVERY = "https://issuer.example/.well-known/openid-configuration"
JWKS = "https://issuer.example/keys"
NOW = 1_000_000.0


class Clock:
    """A clock that the test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1() if name == "ec" else ec.SECP384R1())


@cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def private_key(kid: str) -> Any:
    if kid.startswith("ec"):
        return ec_key(kid)
    if kid.startswith("ed"):
        return ed_key(kid)
    return rsa_key(kid, 1024 if kid.startswith("weak") else 2048)


def jwk(kid: str, **more: Any) -> dict[str, Any]:
    algorithm: Any = {"ec": ECAlgorithm, "ed": OKPAlgorithm}.get(kid[:2], RSAAlgorithm)
    return {**algorithm.to_jwk(private_key(kid).public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def claims(**more: Any) -> dict[str, Any]:
    usual = {"iss": ISSUER, "aud": "app", "sub": "user-1", "exp": int(NOW) + 600, "iat": int(NOW)}
    return {name: value for name, value in {**usual, **more}.items() if value is not None}


def token(kid: str = "rsa", algorithm: str = "RS256", headers: dict[str, Any] | None = None, **more: Any) -> str:
    return jwt.encode(claims(**more), private_key(kid), algorithm, headers={"kid": kid, **(headers or {})})


class Provider:
    """The provider's published documents; `asked` lists the fetched URLs."""

    def __init__(self, *keys: dict[str, Any], issuer: str = ISSUER, jwks_uri: str = JWKS) -> None:
        self.documents: dict[str, Any] = {
            DISCOVERY: {"issuer": issuer, "jwks_uri": jwks_uri},
            JWKS: {"keys": list(keys)},
        }
        self.asked: list[str] = []
        self.is_away = False

    def publish(self, *keys: dict[str, Any]) -> None:
        self.documents[JWKS] = {"keys": list(keys)}

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.is_away:
            raise FetchFailedError("away")
        document = self.documents[url]
        return document if isinstance(document, bytes) else json.dumps(document).encode()
