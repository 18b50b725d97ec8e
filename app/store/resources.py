"""The registry of clients' objects at Gemini besides files: caches, batches, interactions, and files that they produce.

Each query decides access by the owner. This module knows no HTTP, no Gemini call and no clock: `now` is Gemini's time
in seconds, passed by the caller.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from app.store.database import Database
from app.store.schema import ResourceRow


class ResourceKind(StrEnum):
    """The kind of a resource."""

    CACHE = "cache"
    BATCH = "batch"
    INTERACTION = "interaction"
    # A file that Gemini made, such as a batch's results.
    OUTPUT = "output"
    # The handle that resumes a Live session; its name is the handle's SHA-256.
    HANDLE = "handle"


Key = tuple[ResourceKind, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: `name` is its id at Gemini without its collection, times are seconds of Gemini's clock.

    `tokens` is the number of tokens that the resource adds to a prompt (a cache's content), if known. `call` is the id
    of the reservation for its later cost, and `model` the model that it is for.
    """

    kind: ResourceKind
    name: str
    owner: str
    created_at: float
    expires_at: float
    model: str | None = None
    tokens: int = 0
    call: str | None = None

    @property
    def key(self) -> Key:
        """Return the key that identifies the resource."""
        return (self.kind, self.name)


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """A page of resources, newest first, and whether older ones follow."""

    resources: tuple[Resource, ...]
    has_more: bool


_COLUMNS = (
    ResourceRow.kind,
    ResourceRow.name,
    ResourceRow.owner,
    ResourceRow.created_at,
    ResourceRow.expires_at,
    ResourceRow.model,
    ResourceRow.tokens,
    ResourceRow.call,
)


class ResourceRegistry:
    """Resources of all owners, each visible to its owner only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, resource: Resource) -> None:
        """Add a resource. An existing resource stays unchanged, also if another client owns it."""
        values = {
            "kind": resource.kind.value,
            "name": resource.name,
            "owner": resource.owner,
            "created_at": resource.created_at,
            "expires_at": resource.expires_at,
            "model": resource.model,
            "tokens": resource.tokens,
            "call": resource.call,
        }
        try:
            await self._database.run(lambda connection: connection.execute(insert(ResourceRow).values(values)))
        except IntegrityError:
            return

    async def owned(self, owner: str, keys: Collection[Key], *, now: float) -> dict[Key, Resource]:
        """Return those resources of the keys that belong to the owner and have not expired."""
        if not keys:
            return {}
        wanted = tuple_(ResourceRow.kind, ResourceRow.name).in_([(kind.value, name) for kind, name in keys])
        query = select(*_COLUMNS).where(wanted, ResourceRow.owner == owner, ResourceRow.expires_at > now)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        found = [_resource(*row) for row in rows]
        return {resource.key: resource for resource in found}

    async def page(self, owner: str, kind: ResourceKind, *, limit: int, after: str | None, now: float) -> ResourcePage:
        """Return the owner's resources of a kind, newest first, after the resource named `after`."""

        def work(connection: Connection) -> ResourcePage:
            mine = (ResourceRow.owner == owner, ResourceRow.kind == kind.value)
            order = (ResourceRow.created_at.desc(), ResourceRow.name.desc())
            query = select(*_COLUMNS).where(*mine, ResourceRow.expires_at > now).order_by(*order).limit(limit + 1)
            if after is not None:
                last = select(ResourceRow.created_at, ResourceRow.name).where(*mine, ResourceRow.name == after)
                position = connection.execute(last).first()
                if position is None:
                    return ResourcePage((), has_more=False)
                query = query.where(tuple_(ResourceRow.created_at, ResourceRow.name) < tuple_(*position))
            rows = connection.execute(query).all()
            return ResourcePage(tuple(_resource(*row) for row in rows[:limit]), has_more=len(rows) > limit)

        return await self._database.run(work)

    async def set_expiry(self, key: Key, expires_at: float) -> None:
        """Record the expiry of a resource."""
        change = update(ResourceRow).where(_is(key)).values(expires_at=expires_at)
        await self._database.run(lambda connection: connection.execute(change))

    async def take_call(self, key: Key) -> str | None:
        """Return the reservation on which a resource's cost is booked, once: to one caller of all replicas."""

        def work(connection: Connection) -> str | None:
            # The update runs first: of two simultaneous callers, the second finds no row to change.
            taking = update(ResourceRow).where(
                _is(key), ResourceRow.call.is_not(None), ResourceRow.is_settled.is_(False)
            )
            taken = connection.execute(taking.values(is_settled=True).returning(ResourceRow.call)).first()
            return None if taken is None else taken[0]

        return await self._database.run(work)

    async def remove(self, key: Key) -> None:
        """Delete a resource."""
        await self._database.run(lambda connection: connection.execute(delete(ResourceRow).where(_is(key))))

    async def forget_expired(self, before: float) -> None:
        """Delete resources that expired before a time."""
        gone = delete(ResourceRow).where(ResourceRow.expires_at < before)
        await self._database.run(lambda connection: connection.execute(gone))


def _is(key: Key) -> ColumnElement[bool]:
    kind, name = key
    return and_(ResourceRow.kind == kind.value, ResourceRow.name == name)


def _resource(
    kind: str,
    name: str,
    owner: str,
    created_at: float,
    expires_at: float,
    model: str | None,
    tokens: int,
    call: str | None,
) -> Resource:
    return Resource(ResourceKind(kind), name, owner, created_at, expires_at, model, tokens, call)
