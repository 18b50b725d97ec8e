"""Cuts an answer's body on its way, as TCP may: at one place, or after every byte.

    whole answer ──> Splitter ──> pieces, each sent by itself after a pause

A client that reads an answer only as far as its first segment fails here, and seldom elsewhere.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count

# Long enough, mostly, for the client to read a piece before the next one comes.
PAUSE_S = 0.003
# How many bytes of an answer come one by one; the rest comes in one piece.
MOST_SINGLE_BYTES = 1_024
_STRIDE = 7_919


class SplitMode(StrEnum):
    """How all answers are cut."""

    NONE = "none"
    TWO = "two"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a body is cut: before its byte `at`, or after each byte if `at` is None; and the pause in seconds."""

    at: int | None = None
    pause_s: float = PAUSE_S


class Splitter:
    """Cuts one answer, whose body may come in several chunks."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._position = 0
        self.pause_s = cut.pause_s

    def pieces(self, chunk: bytes) -> list[bytes]:
        """Return the pieces of the next chunk of the body; an empty chunk is one empty piece."""
        start = self._position
        self._position += len(chunk)
        if self._cut.at is None:
            singles = max(0, min(len(chunk), MOST_SINGLE_BYTES - start))
            pieces = [chunk[index : index + 1] for index in range(singles)]
            return [*pieces, chunk[singles:]] if singles < len(chunk) or not pieces else pieces
        at = self._cut.at - start
        return [chunk[:at], chunk[at:]] if 0 < at < len(chunk) else [chunk]


class Splitting:
    """Chooses the cut of each answer: as the call's fault says, else by the mode of the emulator."""

    def __init__(self, mode: SplitMode) -> None:
        self._mode = mode
        self._places = count(1)

    def splitter(self, asked: Cut | None, first_bytes: int) -> Splitter | None:
        """Return the splitter of an answer whose first chunk has `first_bytes`, None if the answer stays whole."""
        if asked is not None:
            return Splitter(asked)
        match self._mode:
            case SplitMode.BYTES:
                # Of all answers, a pause after each byte would take seconds for each.
                return Splitter(Cut(pause_s=0.0))
            case SplitMode.TWO if first_bytes > 1:
                # A stride that is prime visits every place of answers of one length.
                return Splitter(replace(Cut(), at=1 + next(self._places) * _STRIDE % (first_bytes - 1)))
        return None
