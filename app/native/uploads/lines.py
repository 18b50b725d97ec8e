"""The scan of a batch's file while it is uploaded, and up to which byte of the file the scan stands.

    feed (bytes that are passed on) ──> position        stand_at (what Gemini has) ──> the same, or unreadable

Only a file of which Gemini has exactly the scanned bytes may be a batch's: a chunk that is cut on its way is scanned
further than Gemini receives it, and the client could then send other bytes in the place of the scanned ones.
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
        """Compare the scan with the number of bytes that Gemini has (None: unknown); if they differ, the scan is void.

        To be called whenever that number becomes known: before more bytes are passed on, and when the file is final.
        """
        if received != self.position:
            self._scanner.is_readable = False

    def named_in(self, size_bytes: int | None) -> str | None:
        """End the scan of a file of which Gemini has `size_bytes`; return the note of the objects that it names.

        None if nobody can tell what the file names.
        """
        self.stand_at(size_bytes)
        self._scanner.end()
        return None if self._scanner.named is None else self._scanner.named.dump()

    def save(self) -> bytes:
        """Return the state of the scan, for `restore`."""
        return b"%d %b" % (self.position, self._scanner.save())

    @classmethod
    def restore(cls, saved: bytes) -> "UploadedLines":
        """Return a scan that continues where a saved one stood."""
        position, _, scanner = saved.partition(b" ")
        if not position.isdigit():
            # Of a version whose scans did not say where they stood.
            lines = cls()
            lines.stand_at(None)
            return lines
        return cls(JsonLinesScanner.restore(scanner), int(position))
