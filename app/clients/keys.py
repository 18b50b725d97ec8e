"""Client keys: their text, creation, rotation and revocation, and the client that a key authenticates.

    gg_k3x9q0v1m7ab_<43 characters>
       the key's id  its secret: 256 random bits, of which only the SHA-256 is stored

Secret scanners find keys by the fixed prefix, alphabet and length (`KEY_PATTERN`). This module knows no HTTP.
"""

import hmac
import re
import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256

from app.clients.identity import NO_LIMITS, Client, Limits, Scope
from app.errors import UnauthenticatedError
from app.store.clients import KEEP, ClientRecord, ClientStore, HeldKeys, Keep, KeyRecord

KEY_PATTERN = re.compile(r"gg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
CLIENT_ID_PREFIX = "cli_"
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEFAULT_NAME = "default"
DEFAULT_SCOPES = frozenset(Scope) - {Scope.METRICS}
"""The scopes of a new key: all that an app needs, without the operator's."""
_ID_ALPHABET = string.ascii_lowercase + string.digits
TOTAL = "total_"
"""The beginning of a limit's name if the limit holds for all users of a key together."""
_OWN = tuple(field.name for field in fields(Limits))
LIMITS = (*_OWN, *(f"{TOTAL}{name}" for name in _OWN))
_MONEY = frozenset({"cost_per_day", "cost_per_month"})
_NO_HASH = "0" * 64


class KeyManagementError(Exception):
    """A key command that cannot be carried out; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class KeyedClient(Client):
    """A client authenticated by its own key: only such a client creates short-lived tokens, which end with the key."""

    key_id: str = ""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A valid key: its client, and its expiry (seconds since the epoch, None: never)."""

    client: KeyedClient
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just created. `text` is the only copy of its secret, to be shown once."""

    client: Client
    text: str
    expires_at: float | None


def _check_limits(values: Mapping[str, float | None], names: Collection[str]) -> None:
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"{name} is not a limit; the limits are {', '.join(sorted(names))}")
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be 0 or more")


def limits_of(values: Mapping[str, float]) -> Limits:
    """Return limits by name; raises ValueError with a line that names a limit that does not exist or is negative."""
    _check_limits(values, _OWN)
    # Money may have cents; everything else is counted.
    read = {name: value if name in _MONEY else int(value) for name, value in values.items()}
    return Limits(**read)  # type: ignore[arg-type]  # each is of its field's type


def split_limits(values: Mapping[str, float]) -> tuple[Limits, Limits]:
    """Return the limits of each user of a key, and those of all its users together (`total_...`).

    Raises ValueError as `limits_of` does.
    """
    _check_limits(values, LIMITS)
    total = {name.removeprefix(TOTAL): value for name, value in values.items() if name.startswith(TOTAL)}
    return limits_of({name: value for name, value in values.items() if not name.startswith(TOTAL)}), limits_of(total)


def named_limits(limits: Limits, total_limits: Limits) -> dict[str, float | None]:
    """Return all limits of a key by their names, those of all its users together as `total_...`."""
    return asdict(limits) | {f"{TOTAL}{name}": value for name, value in asdict(total_limits).items()}


def total_hint(name: str, total_limits: Limits) -> str | None:
    """Return advice for a client whose users are not limited together; None if a total limit is set."""
    if total_limits != NO_LIMITS:
        return None
    return (
        f"Each user of a token that {name} creates has the limits of {name} for itself, and no limit holds for all "
        f"users together; set one: gemini-gateway keys update {name} --limit total_cost_per_day=10"
    )


def scopes_of(names: Collection[str]) -> frozenset[Scope]:
    """Return scopes by name; raises ValueError with a line that names a scope that does not exist."""
    for name in names:
        if name not in frozenset(Scope):
            raise ValueError(f"{name} is not a scope; the scopes are {', '.join(Scope)}")
    return frozenset(map(Scope, names))


def _made(now: float, expires_at: float | None) -> tuple[str, KeyRecord]:
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    return f"gg_{key_id}_{secret}", KeyRecord(key_id, _hashed(secret), now, expires_at)


def _hashed(secret: str) -> str:
    # The secret is random, so that a plain digest cannot be guessed backwards and a slow one would buy nothing.
    return sha256(secret.encode()).hexdigest()


def _named(values: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def client_of(record: ClientRecord, key_id: str) -> KeyedClient:
    """Return the client that a record describes, authenticated by the key of this id."""
    # The database may have been used by a later version, whose further scopes and limits are unknown here.
    limits, total_limits = split_limits({name: value for name, value in record.limits.items() if name in LIMITS})
    return KeyedClient(
        id=record.id,
        name=record.name,
        scopes=frozenset(scope for scope in Scope if scope in record.scopes),
        models=_named(record.models),
        origins=_named(record.origins),
        limits=limits,
        total_limits=total_limits,
        key_id=key_id,
    )


class Keys:
    """The clients of this gateway with keys. `now` is in seconds since the epoch, durations in seconds."""

    def __init__(self, store: ClientStore) -> None:
        self._store = store

    async def create(
        self,
        name: str,
        *,
        now: float,
        scopes: Collection[Scope] = DEFAULT_SCOPES,
        models: Collection[str] | None = None,
        origins: Collection[str] | None = None,
        limits: Limits = NO_LIMITS,
        total_limits: Limits = NO_LIMITS,
        expires_in_s: float | None = None,
    ) -> NewKey:
        """Create a client and its key; raises KeyManagementError if the name is taken or invalid.

        `limits` hold for each user of the key, `total_limits` for all of them together.
        """
        if not NAME_PATTERN.fullmatch(name):
            raise KeyManagementError("a name has 1 to 64 letters, digits, dots, dashes and underscores")
        record = ClientRecord(
            id=f"{CLIENT_ID_PREFIX}{secrets.token_hex(10)}",
            name=name,
            scopes=tuple(sorted(scopes)),
            models=None if models is None else tuple(sorted(models)),
            origins=None if origins is None else tuple(sorted(origins)),
            limits={limit: value for limit, value in named_limits(limits, total_limits).items() if value is not None},
            created_at=now,
        )
        text, key = _made(now, None if expires_in_s is None else now + expires_in_s)
        if not await self._store.add(record, key):
            raise KeyManagementError(
                f"there is, or was, a client named {name}; choose another name, or create a new key for it with rotate"
            )
        return NewKey(client_of(record, key.id), text, key.expires_at)

    async def create_first(self, *, now: float) -> NewKey | None:
        """Create the client named `default`; return None if the store has ever had a client."""
        if await self._store.has_any():
            return None
        try:
            return await self.create(DEFAULT_NAME, now=now)
        except KeyManagementError:
            # Another replica, started in this moment, has created the client and shows its key.
            return None

    async def rotate(self, name: str, *, now: float, overlap_s: float, expires_in_s: float | None = None) -> NewKey:
        """Create a new key for a client, which keeps its files and limits; its old keys end after `overlap_s`.

        Raises KeyManagementError if there is no such client, or it is revoked.
        """
        text, key = _made(now, None if expires_in_s is None else now + expires_in_s)
        record = await self._store.rotate(name, key, old_until=now + overlap_s)
        if record is None:
            raise KeyManagementError(f"there is no active client named {name}")
        return NewKey(client_of(record, key.id), text, key.expires_at)

    async def update(
        self,
        name: str,
        *,
        scopes: Collection[Scope] | None = None,
        models: Collection[str] | Keep | None = KEEP,
        origins: Collection[str] | Keep | None = KEEP,
        limits: Mapping[str, float | None] | None = None,
    ) -> ClientRecord:
        """Change a client's permissions and limits; its keys stay.

        None as `models` or `origins` allows all, a limit of None is removed.
        Every replica obeys within ten seconds. Raises KeyManagementError if there is no such client, and
        ValueError for a limit that does not exist.
        """
        _check_limits(limits or {}, LIMITS)
        record = await self._store.update(
            name,
            scopes=None if scopes is None else tuple(sorted(scopes)),
            models=models if models is None or isinstance(models, Keep) else tuple(sorted(models)),
            origins=origins if origins is None or isinstance(origins, Keep) else tuple(sorted(origins)),
            limits=limits or {},
        )
        if record is None:
            raise KeyManagementError(f"there is no active client named {name}")
        return record

    async def revoke(self, name: str, *, now: float) -> None:
        """Revoke a client with all its keys and tokens; raises KeyManagementError if no such client is active."""
        if not await self._store.revoke(name, now=now):
            raise KeyManagementError(f"there is no active client named {name}")

    async def page(self) -> tuple[HeldKeys, ...]:
        """Return all clients with their keys, oldest first."""
        return await self._store.page()

    async def check(self, text: str, *, now: float) -> FoundKey:
        """Return the client that a key's text authenticates; raises UnauthenticatedError, or StoreUnavailableError."""
        parts = KEY_PATTERN.fullmatch(text)
        if parts is None:
            raise UnauthenticatedError("The key is not a key of this gateway: it is truncated or altered.")
        found = await self._store.find_key(parts[1])
        # An unknown id costs the same comparison as a known id.
        is_right = hmac.compare_digest(_hashed(parts[2]), _NO_HASH if found is None else found[0].secret_hash)
        if found is None or not is_right:
            raise UnauthenticatedError("The key is not a key of this gateway.")
        return _living(*found, now)

    async def check_id(self, key_id: str, *, now: float) -> FoundKey:
        """Return the client of a key by the key's id, for tokens signed in its name; raises as `check` does."""
        found = await self._store.find_key(key_id)
        if found is None:
            raise UnauthenticatedError("The key that created this token no longer exists.")
        return _living(*found, now)

    async def find_live(self, client_id: str, *, now: float) -> Client | None:
        """Return a client by its id, None if it has no good key. Raises StoreUnavailableError."""
        record = await self._store.find_live(client_id, now=now)
        return None if record is None else client_of(record, key_id="")


def _living(key: KeyRecord, record: ClientRecord, now: float) -> FoundKey:
    if record.revoked_at is not None or key.revoked_at is not None:
        raise UnauthenticatedError("The key is revoked; ask the operator for another key.")
    if not key.is_live(now):
        raise UnauthenticatedError("The key has expired; ask the operator for the new key.")
    return FoundKey(client_of(record, key.id), key.expires_at)
