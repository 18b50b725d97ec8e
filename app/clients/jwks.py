"""The public keys of an identity provider (JWKS): found, kept, renewed, and used on while the provider is away.

    kid ──known──> key                             (renewed after an hour; kept 24 hours while the provider is away)
        ──unknown──> asked for again, at most once in 30 s ──> key, or nothing

How a document is fetched is given (`Fetch`); which tokens a key may verify is not its to say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson

from app.errors import IssuerUnavailableError
from app.settings import is_trusted_url

log = logging.getLogger("gateway.jwks")
RENEW_AFTER_S = 3_600.0
KEEP_S = 24 * 3_600.0
ASK_AGAIN_S = 30.0
ASK_AGAIN_WITHOUT_KEYS_S = 5.0
MAX_KEYS = 100
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})

Fetch = Callable[[str], Awaitable[bytes]]
"""Gives the document at a URL; raises FetchFailedError."""
Jwk = Mapping[str, object]


class FetchFailedError(Exception):
    """A document that could not be fetched, or is not what it should be; the message is for the log."""


def _parsed(document: bytes) -> dict[str, object]:
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise FetchFailedError("the answer is not JSON") from None
    if not isinstance(parsed, dict):
        raise FetchFailedError("the answer is not a JSON object")
    return parsed


def _usable(document: dict[str, object]) -> dict[str, Jwk]:
    listed = document.get("keys")
    keys: dict[str, Jwk] = {}
    for key in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        # Only a public key that may sign: a shared or private one has no business in a public document.
        if (
            isinstance(key, dict)
            and isinstance(kid := key.get("kid"), str)
            and key.get("kty") in _KEY_TYPES
            and key.get("use", "sig") == "sig"
            and "d" not in key
        ):
            keys[kid] = key
    if not keys:
        raise FetchFailedError("the document contains no usable key")
    return keys


class SigningKeys:
    """One provider's keys. `monotonic` gives seconds that never go back."""

    def __init__(self, issuer: str, jwks_url: str | None, fetch: Fetch, *, monotonic: Callable[[], float]) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, Jwk] = {}
        self._came_at = 0.0
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def find(self, kid: str) -> Jwk | None:
        """Find a key by its id; None when the provider has none of this id.

        Raises IssuerUnavailableError when the provider is away and nothing of it is known.
        """
        age_s = self._monotonic() - self._came_at
        if self._keys and age_s >= KEEP_S:
            self._keys = {}
        key = self._keys.get(kid)
        # A key that is known is not waited for while another call asks for news of it.
        if key is None or (age_s >= RENEW_AFTER_S and not self._asking.locked()):
            await self._renew(kid if key is None else None)
            key = self._keys.get(kid)
        if not self._keys:
            raise IssuerUnavailableError(
                "The keys of the identity provider could not be fetched; try again in a moment.",
                retry_after_s=ASK_AGAIN_WITHOUT_KEYS_S,
            )
        return key

    async def _renew(self, wanted: str | None) -> None:
        async with self._asking:
            now = self._monotonic()
            pause_s = ASK_AGAIN_S if self._keys else ASK_AGAIN_WITHOUT_KEYS_S
            if wanted in self._keys or (self._asked_at is not None and now - self._asked_at < pause_s):
                return
            self._asked_at = now
            try:
                self._keys = _usable(_parsed(await self._fetch(await self._where())))
            except FetchFailedError as error:
                log.warning("the keys of %s could not be fetched: %s", self._issuer, error)
            else:
                self._came_at = now

    async def _where(self) -> str:
        if self._jwks_url is not None:
            return self._jwks_url
        # OpenID Connect Discovery 1.0, section 4; its 4.3: what calls itself another issuer is not this one's.
        document = _parsed(await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        url = document.get("jwks_uri")
        if document.get("issuer") != self._issuer:
            raise FetchFailedError("the discovery document names another issuer")
        if not isinstance(url, str) or not is_trusted_url(url):
            raise FetchFailedError("the discovery document's jwks_uri is not https")
        return url
