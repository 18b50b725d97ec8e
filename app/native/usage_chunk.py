"""Removes the usage chunk of an OpenAI stream, for a client that did not ask for usage.

The gateway itself asks for usage if a limit holds for the client. Gemini then ends the stream with a chunk that has
usage and no choices, which the client must not see. All other bytes pass unchanged.
"""

import orjson

from app.gemini.stream_masking import HELD_BYTES, EventFrames


class UsageChunkFilter:
    """Filters one stream of server-sent events: `feed` its pieces in order, then `end`."""

    def __init__(self) -> None:
        self._frames = EventFrames()
        self._held = bytearray()
        self._is_passing = False
        self._is_after_removed = False

    def feed(self, piece: bytes) -> bytes:
        """Add a piece and return the bytes for the client. A line is held until its end, up to HELD_BYTES."""
        passed = bytearray()
        start = 0
        for end in self._frames.ends(piece):
            passed += self._line_end(piece[start:end])
            start = end
        rest = piece[start:]
        if self._is_passing:
            return bytes(passed + rest)
        self._held += rest
        if len(self._held) > HELD_BYTES:
            # A usage chunk is short.
            self._is_passing = True
            passed += self._held
            self._held.clear()
        return bytes(passed)

    def end(self) -> bytes:
        """Return the bytes that are still held, at the end of the stream."""
        return self._line_end(b"")

    def _line_end(self, last: bytes) -> bytes:
        if self._is_passing:
            self._is_passing = False
            return last
        line = bytes(self._held) + last
        self._held.clear()
        # The empty line after an event belongs to the event.
        is_removed = _is_usage_chunk(line) or (self._is_after_removed and not line.strip())
        self._is_after_removed = is_removed and bool(line.strip())
        return b"" if is_removed else line


def _is_usage_chunk(line: bytes) -> bool:
    if not line.startswith(b"data:") or b'"usage"' not in line:
        return False
    try:
        chunk = orjson.loads(line[5:])
    except orjson.JSONDecodeError:
        return False
    return isinstance(chunk, dict) and isinstance(chunk.get("usage"), dict) and chunk.get("choices") == []
