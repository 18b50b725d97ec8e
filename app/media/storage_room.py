"""Room for files at Gemini: each owner's bytes and the project's are bounded before an upload starts."""

from collections.abc import Awaitable, Callable

from app.errors import FileQuotaError, StoredBytesError
from app.gemini.clock import GeminiClock
from app.store.file_room import FileRoom
from app.store.records import RoomLimit, StoredFile, StoredLimits


class StorageRoom:
    """Makes room; `per_owner` and `high_water` are in bytes, `delete` deletes a file for its owner."""

    def __init__(
        self,
        room: FileRoom,
        clock: GeminiClock,
        *,
        per_owner: int,
        high_water: int,
        delete: Callable[[StoredFile], Awaitable[None]],
    ) -> None:
        self._room = room
        self._clock = clock
        self._per_owner = per_owner
        self._high_water = high_water
        self._delete = delete

    def limits(self, owner: str, at_most: StoredLimits) -> tuple[RoomLimit, ...]:
        """Return the limits in stored bytes that hold for an owner; `at_most` are the client's own."""
        most = self._per_owner if at_most.own is None else min(at_most.own, self._per_owner)
        own = RoomLimit(owner, most)
        if at_most.total is None:
            return (own,)
        return own, RoomLimit(at_most.key, at_most.total, with_users=True)

    async def make(self, owner: str, size_bytes: int, *, at_most: StoredLimits) -> None:
        """Make room for `size_bytes` (0 if unknown).

        Raises StoredBytesError if the owner has no room, FileQuotaError if the project has none.
        """
        now = self._clock.now()
        for limit in self.limits(owner, at_most):
            if await self._room.left(limit, now=now) < max(1, size_bytes):
                raise await self._full(limit)
        while await self._room.stored_bytes(now=now) + size_bytes > self._high_water:
            victim = await self._room.least_used_kept(now=now)
            if victim is None:
                raise FileQuotaError(
                    f"The project's files reached {self._high_water} bytes, and no file can be deleted to make room.",
                    retry_after_s=await self._until_expiry(now),
                )
            await self._delete(victim)

    async def full(self, owner: str, at_most: StoredLimits) -> StoredBytesError:
        """Return the error for an owner without room, by the limit that leaves the fewest bytes."""
        now, limits = self._clock.now(), self.limits(owner, at_most)
        left = [await self._room.left(limit, now=now) for limit in limits]
        return await self._full(limits[left.index(min(left))])

    async def _full(self, limit: RoomLimit) -> StoredBytesError:
        now = self._clock.now()
        left = await self._room.left(limit, now=now)
        whose = "The stored files of all users of your key" if limit.with_users else "Your stored files"
        return StoredBytesError(
            f"{whose} may have {limit.most_bytes} bytes together; {left} are left. Delete files first.",
            retry_after_s=await self._until_expiry(now),
        )

    async def _until_expiry(self, now: float) -> float:
        expires_at = await self._room.next_expiry(now=now)
        return 60.0 if expires_at is None else max(1.0, expires_at - now)
