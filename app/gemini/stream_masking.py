"""Masks the errors in a relayed stream: server-sent events, or the elements of a JSON array.

    pieces ──> units (lines, elements) ──an error?──> masked
                                       └─────────────> unchanged

A unit is held until its end has arrived: its reader could not read it earlier either. A unit larger than HELD_BYTES
passes on as it arrives; if it begins as an error does, the stream ends. Nothing else is changed, delayed or kept.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

from app.errors import UpstreamFailedError
from app.gemini.masking import Masking, is_error_event

HELD_BYTES: Final = 1 << 16
_ERROR_WORD: Final = b'"error"'
_BEGINS_AS_ERROR: Final = re.compile(rb'(?:data:)?[\s,\[]*\{\s*"(?:error"\s*:|event_type"\s*:\s*"error")')
_EVENT: Final = re.compile(rb"(data:[ \t]*)(.*?)(\s*)", re.DOTALL)
_ELEMENT: Final = re.compile(rb"([\s,\[]*)(\{.*\})(\s*)", re.DOTALL)
# Outside of strings only these bytes change the depth or begin a string; inside, only these end or escape it.
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')


class UnitFinder(Protocol):
    """Finds where units end, in pieces that arrive one after the other."""

    shape: re.Pattern[bytes]

    def ends(self, piece: bytes) -> Iterator[int]:
        """Yield the offset after each unit that ends in the piece."""


class EventFrames:
    """Lines of server-sent events: Gemini writes each event's JSON on one line."""

    shape = _EVENT

    def ends(self, piece: bytes) -> Iterator[int]:
        """Yield the offset after each line's end."""
        end = piece.find(b"\n") + 1
        while end:
            yield end
            end = piece.find(b"\n", end) + 1


class Elements:
    """Elements of one JSON array, the form of a stream without `alt=sse`."""

    shape = _ELEMENT

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False

    def ends(self, piece: bytes) -> Iterator[int]:
        """Yield the offset after each element's closing brace."""
        at = 0
        if self._is_escaped and piece:
            at, self._is_escaped = 1, False
        while (found := (_IN_STRING if self._is_in_string else _STRUCTURE).search(piece, at)) is not None:
            at = found.end()
            byte = found[0]
            if byte == b"\\":
                self._is_escaped = at == len(piece)
                at += 1
            elif byte == b'"':
                self._is_in_string = not self._is_in_string
            elif byte in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 1:
                    yield at


class StreamMask:
    """Masks one stream: `feed` its pieces in order, then `end`."""

    def __init__(self, masking: Masking, finder: UnitFinder) -> None:
        self._masking = masking
        self._finder = finder
        self._held = bytearray()
        self._is_passing = False

    def feed(self, piece: bytes) -> bytes:
        """Add a piece and return the bytes that may now be passed on.

        Raises UpstreamFailedError for an error of more than HELD_BYTES.
        """
        passed = bytearray()
        start = 0
        for end in self._finder.ends(piece):
            passed += self._ended(piece[start:end])
            start = end
        passed += self._begun(piece[start:])
        return bytes(passed)

    def end(self) -> bytes:
        """Return the bytes that are still held, at the end of the stream."""
        return self._ended(b"")

    def _ended(self, last: bytes) -> bytes:
        if self._is_passing:
            self._is_passing = False
            return last
        unit = bytes(self._held) + last
        self._held.clear()
        if _ERROR_WORD not in unit or (shaped := self._finder.shape.fullmatch(unit)) is None:
            return unit
        before, data, after = shaped.groups()
        return before + self._masking.body(data) + after if is_error_event(data) else unit

    def _begun(self, rest: bytes) -> bytes:
        if self._is_passing:
            return rest
        held = self._held
        held += rest
        if len(held) <= HELD_BYTES:
            return b""
        if _BEGINS_AS_ERROR.match(held):
            raise UpstreamFailedError(f"Gemini's stream has an error larger than {HELD_BYTES} bytes.")
        self._is_passing = True
        passed = bytes(held)
        held.clear()
        return passed
