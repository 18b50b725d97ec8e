"""Reads the usage of a relayed answer from its passing bytes: a JSON document, a JSON array, or server-sent events.

    pieces of the answer ──> (gunzip a copy) ──> frames or document ──> usage, model, finish reason, length of the text

The reader holds at most one frame and a bounded tail, delays nothing, and ignores bytes that it can't read.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from app.gemini.answer import Usage

MAX_TAIL_BYTES = 1 << 18
"""The tail of an answer that is kept to be read at its end: usage follows the generated content."""
GUNZIP_BYTES = 1 << 18
# One piece of a gzip bomb would become hundreds of megabytes, and every other call would wait for it.
MAX_GUNZIPPED_BYTES = 1 << 22
Json = dict[str, object]
_DECODER = json.JSONDecoder()


class RelayedUsage(NamedTuple):
    """The usage of an answer or a frame (None without one), the model that answered, and the reason of the end.

    `text_chars` is the length of the text, thoughts excluded. `is_error` is true if Gemini reports an error in it.
    """

    usage: Usage | None = None
    model: str | None = None
    finish_reason: str | None = None
    is_error: bool = False
    text_chars: int = 0

    def followed_by(self, later: "RelayedUsage") -> "RelayedUsage":
        """Return the sum of two frames: usage grows, so that the later usage counts, and text adds up."""
        return RelayedUsage(
            later.usage or self.usage,
            later.model or self.model,
            later.finish_reason or self.finish_reason,
            self.is_error or later.is_error,
            self.text_chars + later.text_chars,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a surface's usage: the reader of one JSON object, the JSON names of the usage and of the text."""

    read: Callable[[Json], RelayedUsage]
    keyword: bytes
    text_keyword: bytes = b"text"


class UsageReader:
    """Reads one answer as it passes."""

    def __init__(self, reading: Reading, *, is_stream: bool, is_gzip: bool) -> None:
        self._reading = reading
        self._is_stream = is_stream
        self._inflate = zlib.decompressobj(31) if is_gzip else None
        self._held = bytearray()
        self._is_tail = False
        self._frames = RelayedUsage()
        self._text = TextCounter(reading.text_keyword)
        self._is_unreadable = False
        self.decoded_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Read a passing piece of the answer; an answer declared as gzip but not gzip has no usage."""
        if self._is_unreadable:
            return
        if self._inflate is None:
            self._take(piece)
            return
        most = self.decoded_bytes + MAX_GUNZIPPED_BYTES
        try:
            while piece and self.decoded_bytes < most:
                self._take(self._inflate.decompress(piece, GUNZIP_BYTES))
                piece = self._inflate.unconsumed_tail
        except zlib.error:
            self._is_unreadable = True
        self._is_unreadable = self._is_unreadable or bool(piece)
        if self._is_unreadable:
            self._held.clear()

    def relayed(self) -> RelayedUsage:
        """Return the usage read so far."""
        if self._is_stream:
            return self._frames
        held = bytes(self._held)
        found = self._read(held, is_tail=self._is_tail)
        if found.usage is None and not self._is_tail:
            for element in _elements(held):
                found = found.followed_by(self._reading.read(element))
        # The text of a cut document was counted as it passed.
        return found if found.usage is not None else found._replace(text_chars=self._text.chars)

    def _take(self, data: bytes) -> None:
        self.decoded_bytes += len(data)
        held = self._held
        held += data
        if self._is_stream:
            self._read_frames()
        else:
            self._text.feed(data)
        if len(held) > MAX_TAIL_BYTES:
            del held[: len(held) - MAX_TAIL_BYTES]
            self._is_tail = True

    def _read_frames(self) -> None:
        end = self._held.rfind(b"\n")
        if end < 0:
            return
        for line in bytes(self._held[:end]).split(b"\n"):
            is_tail, self._is_tail = self._is_tail, False
            frame = line.strip()
            if is_tail or frame.startswith(b"data:"):
                found = self._read(frame.removeprefix(b"data:"), is_tail=is_tail)
                self._frames = self._frames.followed_by(found)
        del self._held[: end + 1]

    def _read(self, text: bytes, *, is_tail: bool) -> RelayedUsage:
        found = None if is_tail else _object(text)
        if found is not None:
            return self._reading.read(found)
        # The beginning is missing. A brace before the keyword and its value makes a document only if the keyword stood
        # at the top, so that no generated content can pass for usage.
        text = text.rstrip().removesuffix(b"]").rstrip()
        start = text.rfind(b'"' + self._reading.keyword + b'"')
        found = None if start < 0 else _object(b"{" + text[start:])
        return RelayedUsage() if found is None else self._reading.read(found)


def _elements(cut_array: bytes) -> Iterator[Json]:
    """Yield the whole objects at the beginning of a JSON array that may be cut; nothing of any other text."""
    text = cut_array.decode(errors="replace").lstrip()
    position = 1
    while text.startswith("[") and (start := text.find("{", position)) >= 0:
        try:
            element, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return
        yield element


def _object(text: bytes) -> Json | None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if isinstance(parsed, list) and parsed:
        # Without alt=sse a stream is one JSON array, whose last element has the whole usage.
        parsed = parsed[-1]
    return parsed if isinstance(parsed, dict) else None


_RUN = re.compile(rb'[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LONGEST_ESCAPE = 6
_LONGEST_OPENING = 64
_CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""


class TextCounter:
    """Counts the characters in the strings of one name, in JSON that comes in pieces and may be cut at any byte."""

    def __init__(self, name: bytes) -> None:
        self._opening = re.compile(rb'"' + name + rb'"\s*:\s*"')
        self._carried = b""
        self._is_inside = False
        self.chars = 0

    def feed(self, data: bytes) -> None:
        """Count the characters of one more piece."""
        data = self._carried + data
        position = 0
        self._carried = b""
        while position < len(data):
            if self._is_inside:
                position = self._count(data, position)
                continue
            opening = self._opening.search(data, position)
            if opening is None:
                self._carried = data[max(position, len(data) - _LONGEST_OPENING) :]
                return
            position = opening.end()
            self._is_inside = True

    def _count(self, data: bytes, position: int) -> int:
        run = _RUN.match(data, position)
        end = position if run is None else run.end()
        self.chars += len(_ESCAPE.sub(b"x", data[position:end]).translate(None, _CONTINUATION))
        if data[end : end + 1] == b'"':
            self._is_inside = False
            return end + 1
        if len(data) - end < _LONGEST_ESCAPE:
            # The piece ends here, or in the middle of an escape.
            self._carried = data[end:]
            return len(data)
        # A backslash that begins no escape: not JSON, and counted as a character.
        return end + 1
