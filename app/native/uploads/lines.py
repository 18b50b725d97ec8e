"""The scan of a batch's file during its upload, and the number of scanned bytes.

    feed (bytes sent to Gemini) ──> position        stand_at (bytes at Gemini) ──> equal to position, or unreadable

Only a file of which Gemini has exactly the scanned bytes may be a batch's. If a chunk is cut on its way, more bytes are
scanned than Gemini receives, and the client could then send other bytes instead of the scanned bytes.
"""

from app.native.scanning import JsonLinesScanner


class UploadedLines:
    """A scanner that has seen the first `position` bytes of a file."""

    def __init__(self, scanner: JsonLinesScanner | None = None, position: int = 0) -> None:
        self._scanner = scanner or JsonLinesScanner()
        self.position = position

    def feed(self, piece: bytes) -> None:
        """Scan the next bytes of the file."""
        self.position += len(piece)
        self._scanner.feed(piece)

    def stand_at(self, received: int | None) -> None:
        """Compare the scan's position with the number of bytes at Gemini (None: unknown); void the scan if they differ.

        Call this whenever the number becomes known: before more bytes are sent, and when the file is final.
        """
        if received != self.position:
            self._scanner.is_readable = False

    def named_in(self, size_bytes: int | None) -> str | None:
        """End the scan of a file with `size_bytes` at Gemini; return the note of the objects named in the file.

        Return None if the scan is void, so that the names in the file are unknown.
        """
        self.stand_at(size_bytes)
        self._scanner.end()
        return None if self._scanner.named is None else self._scanner.named.dump()

    def save(self) -> bytes:
        """Return the state of the scan, for `restore`."""
        return b"%d %b" % (self.position, self._scanner.save())

    @classmethod
    def restore(cls, saved: bytes) -> "UploadedLines":
        """Return a scan that continues from a saved state."""
        position, _, scanner = saved.partition(b" ")
        if not position.isdigit():
            # Saved by an older version, without the number of scanned bytes.
            lines = cls()
            lines.stand_at(None)
            return lines
        return cls(JsonLinesScanner.restore(scanner), int(position))
