"""The encoded size of one request while its form is read, shared by the form and its files.

form ──> frame, parts ──┐
files ─> inline, references ──> fits the inline limit? which files must spill?
"""

from app.gemini.request import ENVELOPE_BYTES, base64_length
from app.media.spill import HeldSize, spills


class RequestSize:
    """The size of one request, as far as it has been read.

    The form sets `frame_bytes` (envelope, options, earlier turns, reserves) and `parts_bytes` (texts and stored files
    of the last turn, each with its comma).
    """

    def __init__(self, limit_bytes: int) -> None:
        self.frame_bytes = ENVELOPE_BYTES
        self.parts_bytes = 0
        self._limit_bytes = limit_bytes
        self._file_count = 0
        # Sums over finished files, because a form may have thousands of files and is checked after each.
        self._held: dict[int, HeldSize] = {}
        self._inline_bytes = 0
        self._reference_bytes = 0

    @property
    def fixed_bytes(self) -> int:
        """Return the size of everything but the files' own parts."""
        # If there is no last turn, its JSON wrapper and the commas between its parts are not written.
        return self.frame_bytes + max(0, self.parts_bytes + self._file_count - 1)

    def set_file_count(self, count: int) -> None:
        """Set the number of the form's files, the one being read included."""
        self._file_count = count

    def hold(self, index: int, held: HeldSize) -> None:
        """Count a finished file that is held, in place of an earlier size of the same file."""
        self.let_go(index)
        self._held[index] = held
        self._inline_bytes += held.inline_length

    def let_go(self, index: int) -> None:
        """Count a file as held no longer."""
        held = self._held.pop(index, None)
        self._inline_bytes -= 0 if held is None else held.inline_length

    def refer(self, length: int) -> None:
        """Count the reference of a file at Gemini; a negative length takes a reference back."""
        self._reference_bytes += length

    def is_too_large(self, size_bytes: int) -> bool:
        """Whether a file of this size cannot be inline even as the only file."""
        return self.fixed_bytes + base64_length(size_bytes) > self._limit_bytes

    def spilling(self, index: int | None, arriving: HeldSize | None) -> list[int]:
        """Return the files that must spill now, in order.

        `index` is the file being read, `arriving` its sizes, None if it is not held or has ended.
        """
        fixed = self.fixed_bytes + self._reference_bytes
        more = 0 if arriving is None else arriving.inline_length
        if fixed + self._inline_bytes + more <= self._limit_bytes:
            return []
        held = dict(self._held)
        if index is not None and arriving is not None:
            held[index] = arriving
        return spills(held, fixed_bytes=fixed, limit_bytes=self._limit_bytes, reading=index)
