"""Room for files at Gemini: each owner's bytes and the project's are bounded before an upload starts."""

from collections.abc import Awaitable, Callable

from app.errors import FileQuotaError, StoredBytesError
from app.gemini.clock import GeminiClock
from app.store.file_room import FileRoom
from app.store.records import StoredFile


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

    def limit(self, at_most: int | None) -> int:
        """Return the number of bytes that an owner may store; `at_most` is a limit of its own."""
        return self._per_owner if at_most is None else min(at_most, self._per_owner)

    async def make(self, owner: str, size_bytes: int, *, at_most: int | None) -> None:
        """Make room for `size_bytes` (0 if unknown).

        Raises StoredBytesError if the owner has no room, FileQuotaError if the project has none.
        """
        now = self._clock.now()
        left = self.limit(at_most) - await self._room.stored_bytes(now=now, owner=owner)
        if left < max(1, size_bytes):
            raise await self.full(owner, at_most)
        while await self._room.stored_bytes(now=now) + size_bytes > self._high_water:
            victim = await self._room.least_used_kept(now=now)
            if victim is None:
                raise FileQuotaError(
                    f"The project's files reached {self._high_water} bytes, and no file can be deleted to make room.",
                    retry_after_s=await self._until_expiry(now),
                )
            await self._delete(victim)

    async def full(self, owner: str, at_most: int | None) -> StoredBytesError:
        """Return the error for an owner without room."""
        now, limit = self._clock.now(), self.limit(at_most)
        left = max(0, limit - await self._room.stored_bytes(now=now, owner=owner))
        return StoredBytesError(
            f"Your stored files may have {limit} bytes together; {left} are left. Delete files first.",
            retry_after_s=await self._until_expiry(now),
        )

    async def _until_expiry(self, now: float) -> float:
        expires_at = await self._room.next_expiry(now=now)
        return 60.0 if expires_at is None else max(1.0, expires_at - now)
