"""The store of clients: every query about clients, their keys and the uses of short-lived tokens.

This module knows neither the format of a key nor the meaning of a scope or a limit, and has no clock: callers pass
`now`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.client_schema import ClientKeyRow, ClientRow, TokenUseRow
from app.store.database import Database


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key: the SHA-256 of its secret in hex, and the start and end of its validity (None: no end)."""

    id: str
    secret_hash: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_live(self, now: float) -> bool:
        """Whether the key is valid at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One client as stored, with the names of its scopes and limits unparsed; None for models and origins means all."""

    id: str
    name: str
    scopes: tuple[str, ...]
    models: tuple[str, ...] | None
    origins: tuple[str, ...] | None
    limits: Mapping[str, float]
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """A client and all its keys, oldest first."""

    client: ClientRecord
    keys: tuple[KeyRecord, ...]


class Keep(Enum):
    """A value that stays unchanged, where None has another meaning."""

    KEEP = "keep"


KEEP = Keep.KEEP
Change = tuple[str, ...] | None | Keep


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _tupled(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _client(row: ClientRow) -> ClientRecord:
    return ClientRecord(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        models=_tupled(row.models),
        origins=_tupled(row.origins),
        limits=row.limits,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def _key(row: ClientKeyRow) -> KeyRecord:
    return KeyRecord(row.id, row.secret_hash, row.created_at, row.expires_at, row.revoked_at)


def _key_row(client_id: str, key: KeyRecord) -> ClientKeyRow:
    return ClientKeyRow(
        id=key.id,
        client_id=client_id,
        secret_hash=key.secret_hash,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


class ClientStore:
    """Clients and their keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client: ClientRecord, key: KeyRecord) -> bool:
        """Add a client with its first key; return False if its name is taken, also by a revoked client."""
        try:
            async with self._database.transaction() as session:
                session.add(
                    ClientRow(
                        id=client.id,
                        name=client.name,
                        scopes=list(client.scopes),
                        models=_listed(client.models),
                        origins=_listed(client.origins),
                        limits=dict(client.limits),
                        created_at=client.created_at,
                        revoked_at=client.revoked_at,
                    )
                )
                await session.flush()
                session.add(_key_row(client.id, key))
        except IntegrityError:
            return False
        return True

    async def find_key(self, key_id: str) -> tuple[KeyRecord, ClientRecord] | None:
        """Return a key and its client, valid or not."""
        async with self._database.transaction() as session:
            query = select(ClientKeyRow, ClientRow).join(ClientRow, ClientKeyRow.client_id == ClientRow.id)
            row = (await session.execute(query.where(ClientKeyRow.id == key_id))).first()
            return None if row is None else (_key(row[0]), _client(row[1]))

    async def find(self, name: str) -> HeldKeys | None:
        """Return a client by its name."""
        async with self._database.transaction() as session:
            row = await session.scalar(select(ClientRow).where(ClientRow.name == name))
            return None if row is None else HeldKeys(_client(row), await self._keys_of(session, row.id))

    async def page(self) -> tuple[HeldKeys, ...]:
        """Return all clients, including revoked ones, oldest first."""
        async with self._database.transaction() as session:
            rows = await session.scalars(select(ClientRow).order_by(ClientRow.created_at, ClientRow.id))
            return tuple([HeldKeys(_client(row), await self._keys_of(session, row.id)) for row in rows.all()])

    async def find_live(self, client_id: str, *, now: float) -> ClientRecord | None:
        """Return a client by its id; None if it is revoked, or has no key that is valid at `now`."""
        good = (ClientKeyRow.revoked_at.is_(None)) & (
            ClientKeyRow.expires_at.is_(None) | (ClientKeyRow.expires_at > now)
        )
        query = select(ClientRow).join(ClientKeyRow, ClientKeyRow.client_id == ClientRow.id)
        query = query.where(ClientRow.id == client_id, ClientRow.revoked_at.is_(None), good).limit(1)
        async with self._database.transaction() as session:
            row = await session.scalar(query)
            return None if row is None else _client(row)

    async def has_any(self) -> bool:
        """Whether there is, or ever was, a client."""
        async with self._database.transaction() as session:
            return bool(await session.scalar(select(exists(select(ClientRow.id)))))

    async def _keys_of(self, session: AsyncSession, client_id: str) -> tuple[KeyRecord, ...]:
        query = select(ClientKeyRow).where(ClientKeyRow.client_id == client_id)
        rows = await session.scalars(query.order_by(ClientKeyRow.created_at, ClientKeyRow.id))
        return tuple(_key(row) for row in rows)

    async def rotate(self, name: str, key: KeyRecord, *, old_until: float) -> ClientRecord | None:
        """Add a key to a client, and end its other keys at `old_until` at the latest.

        Returns the client, or None if there is no active client of this name.
        """
        async with self._database.transaction() as session:
            row = await session.scalar(select(ClientRow).where(ClientRow.name == name).with_for_update())
            if row is None or row.revoked_at is not None:
                return None
            longer = (ClientKeyRow.expires_at.is_(None)) | (ClientKeyRow.expires_at > old_until)
            ending = update(ClientKeyRow).where(ClientKeyRow.client_id == row.id, longer)
            await session.execute(ending.values(expires_at=old_until))
            session.add(_key_row(row.id, key))
            return _client(row)

    async def update(
        self,
        name: str,
        *,
        scopes: tuple[str, ...] | None,
        models: Change,
        origins: Change,
        limits: Mapping[str, float | None],
    ) -> ClientRecord | None:
        """Change a client, and return it, or None if there is no active client of this name.

        A value of None or KEEP stays unchanged; a limit set to None is removed.
        """
        async with self._database.transaction() as session:
            row = await session.scalar(select(ClientRow).where(ClientRow.name == name).with_for_update())
            if row is None or row.revoked_at is not None:
                return None
            if scopes is not None:
                row.scopes = list(scopes)
            if not isinstance(models, Keep):
                row.models = _listed(models)
            if not isinstance(origins, Keep):
                row.origins = _listed(origins)
            changed = dict(row.limits) | dict(limits)
            row.limits = {limit: value for limit, value in changed.items() if value is not None}
            return _client(row)

    async def revoke(self, name: str, *, now: float) -> bool:
        """Revoke a client and all its keys; return False if there is no active client of this name."""
        async with self._database.transaction() as session:
            row = await session.scalar(select(ClientRow).where(ClientRow.name == name).with_for_update())
            if row is None or row.revoked_at is not None:
                return False
            row.revoked_at = now
            live = update(ClientKeyRow).where(ClientKeyRow.client_id == row.id, ClientKeyRow.revoked_at.is_(None))
            await session.execute(live.values(revoked_at=now))
            return True


class TokenUses:
    """Counts the uses of short-lived tokens for all replicas together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, token_id: str, *, at_most: int, expires_at: float) -> bool:
        """Count one use of a token; return False, without counting, if it was used `at_most` (1 or more) times."""
        async with self._database.transaction() as session:
            # One statement, so that two replicas cannot both count the last use.
            dialect = session.get_bind().dialect.name
            insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
            first = insert(TokenUseRow).values(id=token_id, used=1, expires_at=expires_at)
            again = first.on_conflict_do_update(
                index_elements=[TokenUseRow.id], set_={"used": TokenUseRow.used + 1}, where=TokenUseRow.used < at_most
            )
            return await session.scalar(again.returning(TokenUseRow.used)) is not None

    async def forget_expired(self, *, before: float) -> None:
        """Delete the counts of tokens that expired before a time."""
        async with self._database.transaction() as session:
            await session.execute(delete(TokenUseRow).where(TokenUseRow.expires_at < before))
