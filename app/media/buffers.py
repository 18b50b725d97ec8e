"""The bound on the process's memory for media: bytes of inline media, and simultaneous uploads."""

from app.errors import BusyError

RETRY_AFTER_S = 2.0


class HeldBytes:
    """The bound that all held media of the process count against; bytes are reserved before they are read."""

    def __init__(self, limit_bytes: int, *, max_uploads: int) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._max_uploads = max_uploads
        self._uploads = 0

    @property
    def held_bytes(self) -> int:
        """Return the number of held bytes."""
        return self._held

    def reserve(self, size_bytes: int) -> None:
        """Reserve bytes that are about to be held; raises BusyError if they do not fit."""
        if self._held + size_bytes > self._limit:
            raise BusyError(
                f"The memory for media is in use ({self._held} of {self._limit} bytes); try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._held += size_bytes

    def release(self, size_bytes: int) -> None:
        """Release bytes that are no longer held."""
        self._held -= size_bytes

    def begin_upload(self) -> None:
        """Count a streaming upload with its two chunks; raises BusyError if there are too many."""
        if self._uploads >= self._max_uploads:
            raise BusyError(
                f"All {self._uploads} upload slots are in use; try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._uploads += 1

    def end_upload(self) -> None:
        """Count the end of an upload."""
        self._uploads -= 1


class HeldShare:
    """The part of the held bytes that one request has reserved."""

    def __init__(self, held_bytes: HeldBytes) -> None:
        self._held_bytes = held_bytes
        self._reserved = 0

    def reserve(self, size_bytes: int) -> None:
        """Reserve bytes for the request; raises BusyError if they do not fit."""
        self._held_bytes.reserve(size_bytes)
        self._reserved += size_bytes

    def release(self, size_bytes: int) -> None:
        """Release some of the request's bytes."""
        self._held_bytes.release(size_bytes)
        self._reserved -= size_bytes

    def change(self, size_bytes: int) -> None:
        """Reserve bytes, or release them if `size_bytes` is negative; raises BusyError as `reserve`."""
        if size_bytes > 0:
            self.reserve(size_bytes)
        elif size_bytes:
            self.release(-size_bytes)

    def close(self) -> None:
        """Release all bytes that the request still has reserved."""
        self.release(self._reserved)
