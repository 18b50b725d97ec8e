"""JSON Web Tokens of identity providers: each issuer with its own keys, audience, algorithms and claims.

    token ──iss──> issuer (configured) ──kid──> key (its JWKS) ──> signature, aud, exp, nbf, iat, sub ──> client

The configuration decides which algorithms may sign, never the token (RFC 8725, section 3.1). No message holds a part of
a token.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import jwt

from app.clients.identity import Client, Limits, Scope
from app.clients.jwks import Fetch, Jwk, SigningKeys
from app.clients.keys import DEFAULT_SCOPES, limits_of, scopes_of
from app.errors import UnauthenticatedError
from app.settings import IssuerSettings, SettingsError

SKEW_S = 60.0
"""The largest allowed difference, in seconds, between a provider's clock and the gateway's."""
MAX_TOKEN_CHARS = 16_384
_MAX_NAME_CHARS = 100
_LATEST_TIME = 1 << 53
_CHECKS: jwt.types.Options = {
    "require": ["exp", "iss", "aud", "sub"],
    # `verify` checks times itself, by the gateway's clock.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}

JWT_ID_PREFIX = "jwt:"
Claims = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Verified:
    """A good token: its client, and its expiry in seconds since the epoch, with the allowed skew."""

    client: Client
    expires_at: float


class _Issuer:
    """One configured identity provider."""

    def __init__(self, settings: IssuerSettings, keys: SigningKeys) -> None:
        self.settings = settings
        self.keys = keys
        # Scopes listed in a claim were chosen by the provider's administrator, so they need no default restriction.
        usual = DEFAULT_SCOPES if settings.scopes_claim is None else frozenset(Scope)
        self._scopes = usual if settings.scopes is None else scopes_of(settings.scopes)
        self._limits: Limits = limits_of(settings.limits)

    def client(self, claims: Claims, subject: str) -> Client:
        # As JSON, since two different pairs then never look the same; hashed, since a subject may be of any length.
        pair = json.dumps([self.settings.issuer, subject]).encode()
        return Client(
            id=f"{JWT_ID_PREFIX}{sha256(pair).hexdigest()}",
            name=self._name(claims) or _shown(subject),
            scopes=self._scopes & self._granted(claims),
            limits=self._limits,
            issuer=self.settings.issuer,
        )

    def _name(self, claims: Claims) -> str:
        value = claims.get(self.settings.name_claim) if self.settings.name_claim is not None else None
        return _shown(value) if isinstance(value, str) else ""

    def _granted(self, claims: Claims) -> frozenset[Scope]:
        if self.settings.scopes_claim is None:
            return frozenset(Scope)
        value = claims.get(self.settings.scopes_claim)
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        return frozenset(scope for scope in Scope if scope in words)


def _shown(text: str) -> str:
    return "".join(character for character in text[:_MAX_NAME_CHARS] if character.isprintable())


class JwtVerifier:
    """Verifies the tokens of the given issuers, and refuses all others. `variable` is the issuers' setting."""

    def __init__(
        self, issuers: Iterable[IssuerSettings], fetch: Fetch, *, variable: str, monotonic: Callable[[], float]
    ) -> None:
        self._issuers: dict[str, _Issuer] = {}
        for settings in issuers:
            keys = SigningKeys(settings.issuer, settings.jwks_url, fetch, monotonic=monotonic)
            try:
                self._issuers[settings.issuer] = _Issuer(settings, keys)
            except ValueError as error:
                raise SettingsError(f"{variable}: {error}") from None

    async def verify(self, token: str, *, now: float) -> Verified:
        """Verify a token.

        Raises UnauthenticatedError, and IssuerUnavailableError if the issuer is unavailable and none of its keys known.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise UnauthenticatedError("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
            # Read unverified only to find the issuer; no other claim is used before the signature is verified.
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise UnauthenticatedError("The credential is neither a key of this gateway nor a token.") from None
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise UnauthenticatedError("This gateway does not trust the token's issuer.")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in issuer.settings.algorithms:
            raise UnauthenticatedError("The token is signed with an algorithm that this gateway does not accept.")
        key = await issuer.keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise UnauthenticatedError("The token is signed with a key that is not among its issuer's keys.")
        return _verified(issuer, token, algorithm, key, now)


def _verified(issuer: _Issuer, token: str, algorithm: str, key: Jwk, now: float) -> Verified:
    if key.get("alg", algorithm) != algorithm:
        raise UnauthenticatedError("The token is signed with an algorithm that does not fit its key.")
    try:
        claims: Claims = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=list(issuer.settings.algorithms),
            audience=issuer.settings.audience,
            issuer=issuer.settings.issuer,
            options=_CHECKS,
        )
    except jwt.MissingRequiredClaimError as error:
        raise UnauthenticatedError(f"The token has no {error.claim}.") from None
    except jwt.InvalidAudienceError:
        raise UnauthenticatedError("The token is for another audience than this gateway.") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise UnauthenticatedError("The token is invalid: its signature or its content is wrong.") from None
    expires_at = _time(claims, "exp") + SKEW_S
    if now >= expires_at:
        raise UnauthenticatedError("The token has expired; get a new token from your identity provider.")
    if any(_time(claims, name) > now + SKEW_S for name in ("nbf", "iat") if name in claims):
        raise UnauthenticatedError("The token is not valid yet; the issuer's clock or the gateway's is wrong.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise UnauthenticatedError("The token has no sub.")
    return Verified(issuer.client(claims, subject), expires_at)


def _time(claims: Claims, name: str) -> float:
    value = claims[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _LATEST_TIME:
        raise UnauthenticatedError(f"The token's {name} is not a time in seconds.")
    return float(value)
