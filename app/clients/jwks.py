"""The public keys of an identity provider (JWKS): fetched, renewed, and kept during an outage of the provider.

    kid ──known──> key                             (renewed after an hour; kept 24 hours during an outage)
        ──unknown──> fetched again, at most once in 30 s ──> key, or None

`Fetch` fetches the documents; `jwt` decides which tokens a key may verify.
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
"""Returns the document at a URL; raises FetchFailedError."""
Jwk = Mapping[str, object]


class FetchFailedError(Exception):
    """A document could not be fetched, or has the wrong content; the message is for the log."""


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
        # Only public keys that may sign: a shared or private key does not belong into a public document.
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
    """One provider's keys. `monotonic` returns seconds that never go back."""

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
        """Return a key by its id; None if the provider has no key with this id.

        Raises IssuerUnavailableError if the provider is unavailable and none of its keys are known.
        """
        age_s = self._monotonic() - self._came_at
        if self._keys and age_s >= KEEP_S:
            self._keys = {}
        key = self._keys.get(kid)
        # A call with a known key does not wait while another call renews the keys.
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
        # OpenID Connect Discovery 1.0, section 4; by 4.3, a document naming another issuer must not be used.
        document = _parsed(await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        url = document.get("jwks_uri")
        if document.get("issuer") != self._issuer:
            raise FetchFailedError("the discovery document names another issuer")
        if not isinstance(url, str) or not is_trusted_url(url):
            raise FetchFailedError("the discovery document's jwks_uri is not https")
        return url
