"""The scanner of JSON Lines: one note for every cut, also if the scan is saved and restored between the pieces."""

from collections.abc import Sequence

from app.native.scanning.lines import JsonLinesScanner, NamedByLines
from app.native.scanning.policy import ScanRules
from tests.fuzz import scans
from tests.fuzz.cutting import cuttings

RULES = ScanRules(max_values=500)
MOST_SAVED = 100
WORDS = (
    *scans.WORDS, b"\n", b'{"key":"a","request":{"contents":[{"parts":[{"text":"', b'"}]}]}}\n',
)  # fmt: skip


def run(data: bytes) -> None:
    """Scan a file in several cuts."""
    body, ways = cuttings(data)
    whole = _scan([body], is_saved=False)
    for pieces in ways:
        assert _scan(pieces, is_saved=False) == whole, pieces
        assert len(pieces) > MOST_SAVED or _scan(pieces, is_saved=True) == whole, pieces
    if whole is not None:
        note = whole.dump()
        assert NamedByLines.load(note) == whole
        assert len(note) <= 6 * len(body) + 100


def _scan(pieces: Sequence[bytes], *, is_saved: bool) -> NamedByLines | None:
    scanner = JsonLinesScanner(RULES)
    for piece in pieces:
        scanner.feed(piece)
        if is_saved:
            scanner = JsonLinesScanner.restore(scanner.save(), RULES)
    assert scanner.position == sum(map(len, pieces))
    scanner.end()
    return scanner.named
