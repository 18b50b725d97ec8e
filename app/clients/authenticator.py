"""Finds a call's client by its one credential: a key, a token of the gateway, or an identity provider's JWT.

    gg_... ──> key ──────────────┐
    ggt_... ──> token ──> key ───┼──> client ──> its origin ──> App Check, if required ──> one use counted
    anything else ──> JWT ───────┘

A good credential is cached for ten seconds: a call then needs no query, a revoked key lives at most ten seconds longer,
and known clients are served for that long during an outage of the database. The rights of a client are checked by
`require`, `require_model` and `require_origin`. This module knows header names, for its messages, but no request.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from app.clients.identity import LOCAL, Client, Scope
from app.clients.jwks import Fetch
from app.clients.jwt import JWT_ID_PREFIX, JwtVerifier
from app.clients.keys import CLIENT_ID_PREFIX, Keys
from app.clients.tokens import TOKEN_PREFIX, Claims, Tokens
from app.errors import ForbiddenError, UnauthenticatedError
from app.settings import Settings
from app.store.clients import ClientStore, TokenUses
from app.store.database import Database
from app.store.secrets import open_signing_key

REMEMBER_S = 10.0
MAX_REMEMBERED = 10_000
KEY_PREFIX = "gg_"
EXPECTED = "Send it as Authorization: Bearer; x-api-key and x-goog-api-key are taken too."
APP_CHECK_HEADER = "X-Firebase-AppCheck"
_UPLOADING = frozenset({Scope.NATIVE})

T = TypeVar("T")


@dataclass(slots=True)
class Presented:
    """The credentials in a request's head; an empty credential counts as absent."""

    bearer: str | None = None
    api_keys: tuple[str, ...] = ()
    origin: str | None = None
    app_check: str | None = None

    @property
    def has_credential(self) -> bool:
        """Whether the request has a credential, good or bad."""
        return bool(self.bearer) or any(self.api_keys)


@dataclass(frozen=True, slots=True)
class _Known:
    """A good credential: its client, its own expiry, and the token whose uses are counted."""

    client: Client
    expires_at: float | None
    counted: Claims | None = None


@dataclass(frozen=True, slots=True)
class _Owner:
    """The current client of an owner's id; None if the owner has no valid key any more."""

    client: Client | None


class _Memory(Generic[T]):
    """Caches values by the digest of a text, for ten seconds from the look-up."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._found: dict[bytes, tuple[float, T]] = {}

    def get(self, text: str) -> T | None:
        found = self._found.get(_digest(text))
        return found[1] if found is not None and self._monotonic() - found[0] < REMEMBER_S else None

    def put(self, text: str, value: T, *, looked_at: float) -> None:
        digest = _digest(text)
        self._found.pop(digest, None)
        if len(self._found) >= MAX_REMEMBERED:
            # The oldest value expires first.
            del self._found[next(iter(self._found))]
        self._found[digest] = (looked_at, value)


def _digest(text: str) -> bytes:
    # The fastest of the collision-free digests, since every call looks its credential up by digest.
    return blake2b(text.encode("utf-8", "surrogatepass")).digest()


class Authenticator:
    """Finds the client of a call. `clock` returns seconds since the epoch; `monotonic` never goes back."""

    def __init__(
        self,
        settings: Settings,
        *,
        keys: Keys,
        tokens: Tokens,
        uses: TokenUses,
        fetch: Fetch,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        methods = settings.auth_methods
        self.is_open = settings.is_open
        self.keys = keys
        self.tokens = tokens
        self._uses = uses
        self._takes_keys = "keys" in methods
        self._clock = clock
        self._monotonic = monotonic
        self._jwt: JwtVerifier | None = None
        if "jwt" in methods:
            self._jwt = JwtVerifier(settings.issuers, fetch, variable="JWT_ISSUERS", monotonic=monotonic)
        self._app_check: JwtVerifier | None = None
        if settings.app_check is not None:
            self._app_check = JwtVerifier((settings.app_check,), fetch, variable="APP_CHECK", monotonic=monotonic)
        self._known: _Memory[_Known] = _Memory(monotonic)
        self._looking: dict[bytes, asyncio.Task[_Known]] = {}
        self._checked_apps: _Memory[float] = _Memory(monotonic)
        self._owners: _Memory[_Owner] = _Memory(monotonic)

    def recalled(self, presented: Presented) -> Client | None:
        """Return the client of a call from the cache, without waiting, if the call has a single, cached credential.

        Return None if `authenticate` must decide. Raises ForbiddenError like `authenticate`.
        """
        if self.is_open and self._app_check is None:
            return LOCAL
        credential = presented.bearer
        if credential is None or presented.api_keys:
            if presented.bearer or len(presented.api_keys) != 1:
                return None
            credential = presented.api_keys[0]
        if self._app_check is not None:
            return None
        known = self._recalled(credential)
        if known is None or known.counted is not None:
            return None
        if presented.origin is not None:
            require_origin(known.client, presented.origin)
        return known.client

    async def authenticate(self, presented: Presented) -> Client:
        """Return the client of a call, before its body is asked for.

        Raises UnauthenticatedError (no credential, several, or a bad credential), ForbiddenError (a page of an origin
        that the client does not have), StoreUnavailableError and IssuerUnavailableError.
        """
        if self.is_open:
            await self._check_app(presented.app_check)
            return LOCAL
        try:
            credential = _only(presented)
            known = self._recalled(credential) or await self._identify(credential)
            if self._app_check is not None:
                await self._check_app(presented.app_check)
            require_origin(known.client, presented.origin)
            if known.counted is not None:
                await self._count(known.counted)
        except UnauthenticatedError as error:
            # RFC 6750, section 3: the scheme alone, or with the error if a token was sent and refused.
            scheme = 'Bearer error="invalid_token"' if presented.has_credential else "Bearer"
            error.headers.setdefault("WWW-Authenticate", scheme)
            raise
        return known.client

    async def authenticate_again(self, presented: Presented) -> Client:
        """Return the client of an open session with its current rights; count no use of a token.

        The credential is looked up without the cache, so that a revocation is seen at once. Raises the errors of
        `authenticate`.
        """
        if self.is_open:
            return LOCAL
        known = await self._identify(_only(presented))
        require_origin(known.client, presented.origin)
        return known.client

    async def uploader(self, owner: str) -> Client | None:
        """Return the owner of an upload session as a client that may only upload, at most ten seconds old.

        This is for requests whose only credential is the address of the session. Return None if the owner is no longer
        allowed: its keys have ended, or this gateway no longer accepts its kind of credential. Raises
        StoreUnavailableError.
        """
        known = self._owners.get(owner)
        if known is None:
            looked_at = self._monotonic()
            known = _Owner(await self._find_owner(owner))
            self._owners.put(owner, known, looked_at=looked_at)
        return known.client

    async def _find_owner(self, owner: str) -> Client | None:
        if self.is_open:
            return LOCAL if owner == LOCAL.id else None
        if self._jwt is not None and owner.startswith(JWT_ID_PREFIX):
            # A user's name is only in its token. Usage reports get the name from the calls with that token.
            return Client(id=owner, name="", scopes=_UPLOADING)
        client_id, slash, user = owner.partition("/")
        if not self._takes_keys or not client_id.startswith(CLIENT_ID_PREFIX):
            return None
        client = await self.keys.find_live(client_id, now=self._clock())
        if client is None:
            return None
        return Client(
            id=owner,
            name=f"{client.name}{slash}{user}",
            scopes=client.scopes & _UPLOADING,
            limits=client.limits,
            issuer=client.id if slash else None,
            total_limits=client.total_limits,
        )

    async def forget_expired_tokens(self, before: float) -> None:
        """Forget the use counts of tokens that expired before a time."""
        await self._uses.forget_expired(before=before)

    def _recalled(self, credential: str) -> _Known | None:
        known = self._known.get(credential)
        if known is not None and known.expires_at is not None and self._clock() >= known.expires_at:
            return None
        return known

    async def _identify(self, credential: str) -> _Known:
        # When a busy client's cached credential expires, dozens of calls miss it at once: one look-up serves all.
        digest = _digest(credential)
        looking = self._looking.get(digest)
        if looking is None:
            looking = self._looking[digest] = asyncio.create_task(self._look_and_remember(credential))
            looking.add_done_callback(lambda task: self._looked(digest, task))
        return await asyncio.shield(looking)

    async def _look_and_remember(self, credential: str) -> _Known:
        looked_at = self._monotonic()
        known = await self._look_up(credential, self._clock())
        self._known.put(credential, known, looked_at=looked_at)
        return known

    def _looked(self, digest: bytes, task: asyncio.Task[_Known]) -> None:
        del self._looking[digest]
        if not task.cancelled():
            # All waiting calls may have left, and then no other code retrieves the exception.
            task.exception()

    async def _look_up(self, credential: str, now: float) -> _Known:
        if self._takes_keys and credential.startswith(TOKEN_PREFIX):
            claims = self.tokens.read(credential, now=now)
            key = await self.keys.check_id(claims.key_id, now=now)
            ends = claims.expires_at if key.expires_at is None else min(claims.expires_at, key.expires_at)
            return _Known(claims.client(key.client), ends, None if claims.max_requests is None else claims)
        if self._takes_keys and (self._jwt is None or credential.startswith(KEY_PREFIX)):
            key = await self.keys.check(credential, now=now)
            return _Known(key.client, key.expires_at)
        if self._jwt is None:
            raise UnauthenticatedError("This gateway does not accept the credential.")
        verified = await self._jwt.verify(credential, now=now)
        return _Known(verified.client, verified.expires_at)

    async def _count(self, claims: Claims) -> None:
        at_most = claims.max_requests or 0
        if not await self._uses.count(claims.id, at_most=at_most, expires_at=claims.expires_at):
            raise UnauthenticatedError(
                f"The token's {at_most} requests are used up; request a new token from your app's backend."
            )

    async def _check_app(self, token: str | None) -> None:
        if self._app_check is None:
            return
        if not token:
            raise UnauthenticatedError(f"Every call needs an App Check token in the header {APP_CHECK_HEADER}.")
        now = self._clock()
        good_until = self._checked_apps.get(token)
        if good_until is None or now >= good_until:
            looked_at = self._monotonic()
            try:
                verified = await self._app_check.verify(token, now=now)
            except UnauthenticatedError as error:
                raise UnauthenticatedError(f"{APP_CHECK_HEADER}: {error.detail}") from None
            self._checked_apps.put(token, verified.expires_at, looked_at=looked_at)


def _only(presented: Presented) -> str:
    if presented.bearer and not presented.api_keys:
        return presented.bearer
    credentials = {text for text in (presented.bearer, *presented.api_keys) if text}
    if not credentials:
        raise UnauthenticatedError(f"A credential is needed. {EXPECTED}")
    if len(credentials) > 1:
        raise UnauthenticatedError(f"The request has several different credentials; send one. {EXPECTED}")
    return credentials.pop()


def require(client: Client, scope: Scope) -> None:
    """Raise ForbiddenError unless the client has this scope."""
    if scope not in client.scopes:
        have = ", ".join(sorted(client.scopes)) or "none"
        raise ForbiddenError(f"This operation needs the scope {scope}; the client's scopes: {have}.")


def require_model(client: Client, model: str) -> None:
    """Raise ForbiddenError unless the client may use the model with this name at Gemini."""
    name = model.removeprefix("models/")
    if client.models is not None and name not in client.models:
        raise ForbiddenError(
            f"The client may not use the model {name[:60]}; it may use: {', '.join(sorted(client.models)) or 'none'}."
        )


def require_origin(client: Client, origin: str | None) -> None:
    """Raise ForbiddenError if a call is from a browser's page whose Origin the client may not use."""
    if origin is not None and client.origins is not None and origin not in client.origins:
        raise ForbiddenError(f"The client's key may not be used by pages of {origin[:100]}.")


def open_authenticator(settings: Settings, database: Database, fetch: Fetch) -> Authenticator:
    """Return the authenticator of one gateway. Raises SettingsError for issuers with wrong scopes or limits."""
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    return Authenticator(
        settings,
        keys=Keys(ClientStore(database)),
        tokens=Tokens(open_signing_key(secret, settings.database_url)),
        uses=TokenUses(database),
        fetch=fetch,
    )
