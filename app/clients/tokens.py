"""Short-lived tokens for browser apps: made by the app's own backend with its key, held by one of its users.

    ggt_<claims, base64url of JSON>.<HMAC-SHA-256 of them>

A token holds its own rights, signed; the store holds only the count of its uses, if they are limited. A token ends at
its expiry, or with the key that created it. This module knows no HTTP.
"""

import hmac
import logging
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

import orjson

from app.clients.identity import Client, Scope
from app.clients.keys import KeyedClient, total_hint
from app.errors import FieldError, ForbiddenError, InvalidFieldError, UnauthenticatedError

TOKEN_PREFIX = "ggt_"  # noqa: S105  # the beginning of every token, and no secret
MIN_TTL_S, MAX_TTL_S = 1, 3600
MAX_USER_CHARS = 128
MAX_REQUESTS = 1_000_000
_MAX_TOKEN_CHARS = 2_048
_VERSION = 1
_MAX_HINTED = 10_000
log = logging.getLogger("gateway.limits")


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a token: its key and user, scopes, expiry (seconds since the epoch) and largest number of uses."""

    id: str
    key_id: str
    user: str
    scopes: frozenset[Scope]
    expires_at: int
    max_requests: int | None

    def client(self, keyed: Client) -> Client:
        """Return the client that a token authenticates: a user of the key's client.

        The user has files of its own, the limits of the key's client, and never more rights than that client has now.
        """
        return Client(
            # A client's id has no slash, so that no two pairs look the same.
            id=f"{keyed.id}/{self.user}",
            name=f"{keyed.name}/{self.user}",
            scopes=self.scopes & keyed.scopes,
            models=keyed.models,
            origins=keyed.origins,
            limits=keyed.limits,
            issuer=keyed.id,
            total_limits=keyed.total_limits,
        )


def _invalid(field: str, message: str, allowed: str, received: object) -> InvalidFieldError:
    error = FieldError(field, message, received=str(received)[:60], allowed=allowed)
    return InvalidFieldError(f"{field}: {message}.", errors=(error,))


class Tokens:
    """Makes and reads tokens; `signing_key` is the same on every replica."""

    def __init__(self, signing_key: bytes) -> None:
        self._key = signing_key
        self._hinted: set[str] = set()

    def total_hint(self, client: Client) -> str | None:
        """Return advice if no limit holds for all users of a key together; the log shows it once for each key."""
        hint = total_hint(client.name, client.total_limits)
        if hint is not None and client.id not in self._hinted and len(self._hinted) < _MAX_HINTED:
            self._hinted.add(client.id)
            log.warning("no-total-limit: %s", hint)
        return hint

    def mint(
        self,
        client: Client,
        *,
        now: float,
        ttl_s: int,
        user: str,
        scopes: Collection[Scope] | None = None,
        max_requests: int | None = None,
    ) -> tuple[str, Claims]:
        """Create a token for a user of a client that is authenticated by its own key.

        `ttl_s` is 1 to 3600 seconds; `user` is 1 to 128 printable characters of the app's own choosing; `scopes` are
        those of the client if None; `max_requests` is 1 to 1,000,000, or None without a maximum.
        Raises InvalidFieldError, and ForbiddenError for a client without a key and for scopes that it does not have.
        """
        if not isinstance(client, KeyedClient):
            raise ForbiddenError("Only a client key can create short-lived tokens; a token or a user's JWT cannot.")
        if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
            raise _invalid("ttl_s", "must be from 1 to 3600 seconds", f"{MIN_TTL_S} to {MAX_TTL_S}", ttl_s)
        if not 1 <= len(user) <= MAX_USER_CHARS or not user.isprintable():
            raise _invalid("user", "must have 1 to 128 printable characters", "1 to 128 characters", user)
        if max_requests is not None and not 1 <= max_requests <= MAX_REQUESTS:
            raise _invalid("max_requests", "must be from 1 to 1000000", f"1 to {MAX_REQUESTS}", max_requests)
        chosen = client.scopes if scopes is None else frozenset(scopes)
        if missing := chosen - client.scopes:
            raise ForbiddenError(f"The key has no scope {', '.join(sorted(missing))}, so its tokens cannot have it.")
        claims = Claims(secrets.token_hex(12), client.key_id, user, chosen, int(now) + ttl_s, max_requests)
        return self._signed(claims), claims

    def _signed(self, claims: Claims) -> str:
        content = {
            "v": _VERSION,
            "id": claims.id,
            "key": claims.key_id,
            "user": claims.user,
            "scopes": sorted(claims.scopes),
            "exp": claims.expires_at,
            "max": claims.max_requests,
        }
        payload = urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()
        return f"{TOKEN_PREFIX}{payload}.{self._mac(payload)}"

    def _mac(self, payload: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, payload.encode(), sha256)).rstrip(b"=").decode()

    def read(self, token: str, *, now: float) -> Claims:
        """Return the claims of a token that was signed here and has not expired; raises UnauthenticatedError.

        The caller checks that the key is still valid and that uses are left.
        """
        payload, _, mac = token.removeprefix(TOKEN_PREFIX).partition(".")
        if not token.isascii() or len(token) > _MAX_TOKEN_CHARS or not hmac.compare_digest(mac, self._mac(payload)):
            raise UnauthenticatedError("The token is not a token of this gateway.")
        # The content was written by `mint`, of this version or of another.
        content = orjson.loads(b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_"))
        if content["v"] != _VERSION:
            raise UnauthenticatedError("The token was created by another version of the gateway; request a new token.")
        if now >= content["exp"]:
            raise UnauthenticatedError("The token has expired; request a new token from your app's backend.")
        return Claims(
            id=content["id"],
            key_id=content["key"],
            user=content["user"],
            scopes=frozenset(scope for scope in Scope if scope in content["scopes"]),
            expires_at=content["exp"],
            max_requests=content["max"],
        )
