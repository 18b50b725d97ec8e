"""Reads the usage in a relayed answer from the passing bytes: whole JSON, a JSON array, or a stream of events.

    pieces of the answer ──> (gunzip a copy) ──> lines or document ──> usage, model, finish reason

The reader holds at most one frame and a bounded tail, and delays nothing. Unreadable bytes count as no usage.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from app.gemini.answer import Usage

# Only the end of an answer is kept, since the usage follows the generated text.
MAX_TAIL_BYTES = 1 << 18
GUNZIP_BYTES = 1 << 18
# One piece of a gzip bomb would become hundreds of megabytes, and every other call would wait for it.
MAX_GUNZIPPED_BYTES = 1 << 22
Json = dict[str, object]


class RelayedUsage(NamedTuple):
    """The usage in an answer (None if the answer has none), the model that answered, and the finish reason."""

    usage: Usage | None = None
    model: str | None = None
    finish_reason: str | None = None
    is_error: bool = False


Read = Callable[[Json], RelayedUsage]
"""Reads one JSON object of an answer."""


@dataclass(slots=True)
class UsageReader:
    """Reads the usage in a passing answer, by the surface's `read`; `keyword` is the JSON name of the usage there."""

    read: Read
    keyword: bytes
    is_stream: bool
    is_gzip: bool
    text_bytes: int = 0
    _inflate: "zlib._Decompress | None" = None
    _held: bytearray = field(default_factory=bytearray)
    _is_cut: bool = False
    _frame: bytes = b""
    _is_unreadable: bool = False

    def __post_init__(self) -> None:
        if self.is_gzip:
            self._inflate = zlib.decompressobj(31)

    def feed(self, piece: bytes) -> None:
        """Read a piece of the answer that has been passed on; an answer declared as gzip but not gzip has no usage."""
        if self._is_unreadable:
            return
        if self._inflate is None:
            self._take(piece)
            return
        most = self.text_bytes + MAX_GUNZIPPED_BYTES
        try:
            while piece and self.text_bytes < most:
                self._take(self._inflate.decompress(piece, GUNZIP_BYTES))
                piece = self._inflate.unconsumed_tail
        except zlib.error:
            self._is_unreadable = True
        self._is_unreadable = self._is_unreadable or bool(piece)
        if self._is_unreadable:
            self._held.clear()

    def _take(self, data: bytes) -> None:
        self.text_bytes += len(data)
        held = self._held
        held += data
        if self.is_stream:
            self._keep_frame()
        if len(held) > MAX_TAIL_BYTES:
            del held[: len(held) - MAX_TAIL_BYTES]
            self._is_cut = True

    def _keep_frame(self) -> None:
        held = self._held
        end = held.rfind(b"\n")
        if end < 0:
            return
        # The newest frame with usage counts, since usage grows with each frame.
        found = held.rfind(self.keyword, 0, end)
        if found >= 0:
            start = held.rfind(b"\n", 0, found) + 1
            stop = held.find(b"\n", found)
            self._frame = bytes(held[start:stop])
            self._is_cut = self._is_cut and start == 0
        del held[: end + 1]

    def said(self) -> RelayedUsage:
        """Return the usage read so far."""
        if self.is_stream:
            line = self._frame.strip()
            return self._from(line.removeprefix(b"data:").strip(), is_cut=self._is_cut)
        return self._from(bytes(self._held), is_cut=self._is_cut)

    def _from(self, text: bytes, *, is_cut: bool) -> RelayedUsage:
        found = None if is_cut else _object(text)
        if found is not None:
            return self.read(found)
        # The beginning is lost. A brace in front of the last `"usage": ...` makes valid JSON only if that name was at
        # the top level, so generated text that looks like usage cannot pass for usage.
        text = text.rstrip().removesuffix(b"]").rstrip()
        start = text.rfind(b'"' + self.keyword + b'"')
        found = None if start < 0 else _object(b"{" + text[start:])
        return RelayedUsage() if found is None else self.read(found)


def _object(text: bytes) -> Json | None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if isinstance(parsed, list) and parsed:
        # Without alt=sse a stream is one JSON array, whose last element has the whole usage.
        parsed = parsed[-1]
    return parsed if isinstance(parsed, dict) else None


def mapping(value: object) -> Mapping[str, object]:
    """Return `value` if it is a dict, else `{}`."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """Return `value` if it is a non-empty string, else None."""
    return value if isinstance(value, str) and value else None
