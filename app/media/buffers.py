"""The bound on what the process holds: inline media in bytes, and uploads that stream at the same time."""

from app.errors import BusyError

RETRY_AFTER_S = 2.0


class HeldBytes:
    """The one bound that all held media of the process count against; bytes are reserved before more is read."""

    def __init__(self, limit_bytes: int, *, max_uploads: int) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._max_uploads = max_uploads
        self._uploads = 0

    @property
    def held_bytes(self) -> int:
        """What is held now."""
        return self._held

    def reserve(self, size_bytes: int) -> None:
        """Count bytes that are about to be held; raises BusyError when they do not fit."""
        if self._held + size_bytes > self._limit:
            raise BusyError(
                f"The gateway holds {self._held} of at most {self._limit} bytes of media; try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._held += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give back bytes that are no longer held."""
        self._held -= size_bytes

    def begin_upload(self) -> None:
        """Count an upload that streams, with its two chunks; raises BusyError when there are too many."""
        if self._uploads >= self._max_uploads:
            raise BusyError(
                f"The gateway carries {self._uploads} uploads, as many as it may; try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._uploads += 1

    def end_upload(self) -> None:
        """Count an upload's end."""
        self._uploads -= 1
