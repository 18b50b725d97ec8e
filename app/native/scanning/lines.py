"""The lines of a batch's file, scanned while the file passes: which resources they name, or that it cannot be told."""

import orjson

from app.errors import GatewayError
from app.native.scanning.policy import BATCH_LINE
from app.native.scanning.references import Reference, Url, UrlKind
from app.native.scanning.scanner import Found, JsonScanner

MAX_REFERENCES = 10_000


class JsonLinesScanner:
    """Scans JSONL: one document a line, blank lines allowed. It never raises; what it cannot read it calls so.

    `references` are the names of files and caches that the lines name, as written; `is_readable` is False once anything
    was no such document, or named what no client may.
    """

    def __init__(self, bases: tuple[str, ...] = ()) -> None:
        self.references: set[str] = set()
        self.is_readable = True
        self._bases = bases
        self._line: JsonScanner | None = None

    def feed(self, piece: bytes) -> None:
        """Take a piece of the file in."""
        if not self.is_readable:
            return
        try:
            lines = piece.split(b"\n")
            for index, text in enumerate(lines):
                self._feed_line(text)
                if index < len(lines) - 1:
                    self._end_line()
        except GatewayError:
            self.is_readable = False

    def end(self) -> None:
        """Say that the file has ended."""
        try:
            self._end_line()
        except GatewayError:
            self.is_readable = False

    def _feed_line(self, text: bytes) -> None:
        if self._line is None:
            if not text.strip():
                return
            self._line = JsonScanner(BATCH_LINE, self._bases)
        self._take(self._line.feed(text))

    def _end_line(self) -> None:
        if self._line is not None:
            self._take(self._line.end())
            self._line = None

    def _take(self, segments: list[bytes | Found]) -> None:
        for segment in segments:
            if isinstance(segment, Found):
                match segment.what:
                    case Reference(kind, name, _):
                        self.references.add(f"{kind.value}/{name}")
                    case Url(UrlKind.YOUTUBE | UrlKind.DATA):
                        pass
                    case Url():
                        self.references.add("https://")
                    case _ if segment.key != "model":
                        self.is_readable = False
        self.is_readable = self.is_readable and len(self.references) <= MAX_REFERENCES

    def save(self) -> bytes:
        """Write down where the scanner stands, for `restore`."""
        line = None if self._line is None else self._line.save().decode()
        return orjson.dumps([self.is_readable, sorted(self.references), line])

    @classmethod
    def restore(cls, saved: bytes, bases: tuple[str, ...] = ()) -> "JsonLinesScanner":
        """Make a scanner that goes on where another stood."""
        is_readable, references, line = orjson.loads(saved)
        scanner = cls(bases)
        scanner.is_readable = is_readable
        scanner.references = set(references)
        scanner._line = None if line is None else JsonScanner.restore(line.encode(), bases)
        return scanner
