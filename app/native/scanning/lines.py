"""Scans the lines of a batch's file during its upload, and notes the names in them, or that the file is unfit."""

from dataclasses import dataclass

import orjson

from app.errors import GatewayError
from app.native.scanning.found import Found, ModelName
from app.native.scanning.policy import BATCH_LINE, DEFAULT_RULES, ScanRules
from app.native.scanning.references import Reference, Url, UrlKind
from app.native.scanning.restorable import RestorableScanner

MAX_NAMED = 10_000
BYTES_PER_VALUE = 4
"""The fewest bytes per value of a file: with fewer, the file is mostly structure and costs too much to scan."""
LINE_VALUES = 4
"""The cost of a line, as a number of values: even a blank line costs as much as these."""
_VERSION = 2
"""The version of the scan's rules. A scan under other rules cannot be continued, and its note proves nothing."""


@dataclass(frozen=True, slots=True)
class NamedByLines:
    """The stored objects and models named in the lines of a file, and whether any line has an https URL."""

    objects: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    has_https: bool = False

    def dump(self) -> str:
        """Return the note to store with the file, as JSON."""
        return orjson.dumps([_VERSION, sorted(self.objects), sorted(self.models), self.has_https]).decode()

    @classmethod
    def load(cls, note: str | None) -> "NamedByLines | None":
        """Return the content of a note; None if the file's lines were not scanned, or under other rules."""
        parsed = None if note is None else orjson.loads(note)
        if not isinstance(parsed, list) or not parsed or parsed[0] != _VERSION:
            return None
        _, objects, models, has_https = parsed
        return cls(frozenset(objects), frozenset(models), has_https)


class JsonLinesScanner:
    """Scans JSON Lines: one document a line, blank lines allowed.

    The scanner raises nothing: a line that is no document, or holds a forbidden value, makes the file unreadable for
    batches. `position` is the number of bytes fed. Since Gemini gets the lines unchanged, the gateway's own addresses
    name no file in them.
    """

    def __init__(self, rules: ScanRules = DEFAULT_RULES) -> None:
        self.is_readable = True
        self.position = 0
        self._rules = ScanRules(max_values=rules.max_values, allows_mcp_servers=rules.allows_mcp_servers)
        self._objects: set[str] = set()
        self._models: set[str] = set()
        self._has_https = False
        self._values = 0
        self._line: RestorableScanner | None = None

    @property
    def named(self) -> NamedByLines | None:
        """The names found in the lines so far; None if the file is unreadable for batches."""
        if not self.is_readable:
            return None
        return NamedByLines(frozenset(self._objects), frozenset(self._models), self._has_https)

    def feed(self, piece: bytes) -> None:
        """Scan a piece of the file."""
        self.position += len(piece)
        if not self.is_readable:
            return
        try:
            *ended, last = piece.split(b"\n")
            for text in ended:
                self._feed_line(text)
                self._end_line()
            self._feed_line(last)
        except GatewayError:
            self.is_readable = False

    def end(self) -> None:
        """End the file."""
        try:
            self._end_line()
        except GatewayError:
            self.is_readable = False

    def _feed_line(self, text: bytes) -> None:
        if self._line is None:
            if not text.strip():
                return
            self._line = RestorableScanner(BATCH_LINE, self._rules)
        self._note(self._line.feed(text))
        if self._values + self._line.values > self._rules.max_values + self.position // BYTES_PER_VALUE:
            self.is_readable = False

    def _end_line(self) -> None:
        if self._line is not None:
            self._note(self._line.end())
            self._values += self._line.values + LINE_VALUES
            self._line = None

    def _note(self, found: list[Found]) -> None:
        for each in found:
            match each.what:
                case Reference() as reference:
                    self._objects.add(reference.canonical_name)
                case ModelName(name):
                    self._models.add(name[:300])
                case Url(UrlKind.HTTPS):
                    self._has_https = True
                case Url(UrlKind.YOUTUBE):
                    pass
                case _:
                    self.is_readable = False
        if len(self._objects) + len(self._models) > MAX_NAMED:
            self.is_readable = False

    def save(self) -> bytes:
        """Return the state, for `restore`."""
        line = None if self._line is None else self._line.save().decode()
        note = NamedByLines(frozenset(self._objects), frozenset(self._models), self._has_https).dump()
        return orjson.dumps([_VERSION, self.is_readable, self.position, self._values, note, line])

    @classmethod
    def restore(cls, saved: bytes, rules: ScanRules = DEFAULT_RULES) -> "JsonLinesScanner":
        """Return a scanner that continues from a saved state; a state saved under other rules is unreadable."""
        scanner = cls(rules)
        version, *state = orjson.loads(saved)
        if version != _VERSION:
            scanner.is_readable = False
            return scanner
        scanner.is_readable, scanner.position, scanner._values, note, line = state
        named = NamedByLines.load(note) or NamedByLines()
        scanner._objects, scanner._models = set(named.objects), set(named.models)
        scanner._has_https = named.has_https
        if line is not None:
            scanner._line = RestorableScanner.restore(line.encode(), BATCH_LINE, scanner._rules)
        return scanner
