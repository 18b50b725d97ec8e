"""The JSON of a generateContent request, assembled from pieces that are never joined, and its exact length.

    {"contents":[ earlier turns , {"role":"user","parts":[ text | inline | file , ... ]} ] , options }

Inline data is added as raw slices, each a multiple of 3 bytes but the last, and becomes base64 slice by slice while the
request is written. Every length that decides about inlining is computed here, by the same functions that write.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson
import pybase64

from app.gemini.remote_files import URI_PREFIX

WHOLE_BYTES = 65_536
NAME_CHARS = 40
"""Length of the names that the gateway gives to files, so that references have a known length before they exist."""

_HEAD = b'{"contents":['
_USER = b'{"role":"user","parts":['
_TURN_END = b"]}"


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How Gemini is to read one file: start and end in seconds, frames a second, resolution (low to ultra_high)."""

    start: float | None = None
    end: float | None = None
    fps: float | None = None
    media_resolution: str | None = None

    def json(self) -> bytes:
        """Return the JSON members beside the data, each after a comma."""
        video: dict[str, object] = {}
        if self.start is not None:
            video["startOffset"] = _duration(self.start)
        if self.end is not None:
            video["endOffset"] = _duration(self.end)
        if self.fps is not None:
            video["fps"] = self.fps
        out = b',"videoMetadata":' + orjson.dumps(video) if video else b""
        if self.media_resolution is not None:
            level = f"MEDIA_RESOLUTION_{self.media_resolution.upper()}"
            out += b',"mediaResolution":' + orjson.dumps({"level": level})
        return out


def _duration(seconds: float) -> str:
    # A protobuf duration is a plain decimal number: no exponent, and no digit lost.
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


NO_OPTIONS = MediaOptions()


@dataclass(frozen=True, slots=True)
class TextPart:
    """A prompt."""

    text: str

    def json(self) -> bytes:
        """Return the whole part as JSON."""
        return b'{"text":' + orjson.dumps(self.text) + b"}"


@dataclass(frozen=True, slots=True)
class InlinePart:
    """Media inside the request; `slices` are raw bytes, each a multiple of 3 long but the last."""

    mime_type: str
    slices: Sequence[bytes]
    options: MediaOptions = NO_OPTIONS

    def head(self) -> bytes:
        """Return the JSON before the data."""
        return b'{"inlineData":{"mimeType":' + orjson.dumps(self.mime_type) + b',"data":"'

    def tail(self) -> bytes:
        """Return the JSON after the data."""
        return b'"}' + self.options.json() + b"}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """Media by its URI. `mime_type` is None if Gemini finds out the type by itself (YouTube)."""

    mime_type: str | None
    uri: str
    options: MediaOptions = NO_OPTIONS

    def json(self) -> bytes:
        """Return the whole part as JSON."""
        data = {"fileUri": self.uri} if self.mime_type is None else {"mimeType": self.mime_type, "fileUri": self.uri}
        return b'{"fileData":' + orjson.dumps(data) + self.options.json() + b"}"


Part = TextPart | InlinePart | FilePart


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation; `role` is user or model."""

    role: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Options:
    """The members beside the contents, in the client's words; None and empty values are left out."""

    system_instruction: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    response_schema: Mapping[str, object] | None = None
    thinking_level: str | None = None
    include_thoughts: bool | None = None
    media_resolution: str | None = None
    safety: str | None = None

    def json(self) -> bytes:
        """Return the JSON members after `contents`, each after a comma."""
        beside: dict[str, object] = {}
        if self.system_instruction is not None:
            beside["systemInstruction"] = {"parts": [{"text": self.system_instruction}]}
        if config := self._generation_config():
            beside["generationConfig"] = config
        if self.safety == "off":
            beside["safetySettings"] = [{"category": name, "threshold": "OFF"} for name in HARM_CATEGORIES]
        return b"," + orjson.dumps(beside)[1:-1] if beside else b""

    def _generation_config(self) -> dict[str, object]:
        thinking = {
            "thinkingLevel": self.thinking_level.upper() if self.thinking_level else None,
            "includeThoughts": self.include_thoughts,
        }
        resolution = f"MEDIA_RESOLUTION_{self.media_resolution.upper()}" if self.media_resolution else None
        config: dict[str, object | None] = {
            "temperature": self.temperature,
            "topP": self.top_p,
            "topK": self.top_k,
            "maxOutputTokens": self.max_output_tokens,
            "stopSequences": list(self.stop) or None,
            "seed": self.seed,
            "responseMimeType": "application/json" if self.response_schema is not None else None,
            "responseJsonSchema": self.response_schema,
            "mediaResolution": resolution,
            "thinkingConfig": {name: value for name, value in thinking.items() if value is not None} or None,
        }
        return {name: value for name, value in config.items() if value is not None}


HARM_CATEGORIES = (
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
)


def base64_length(size_bytes: int) -> int:
    """Return the number of base64 characters for `size_bytes` bytes."""
    return 4 * ((size_bytes + 2) // 3)


@lru_cache(maxsize=256)
def reference_length(mime_type: str, options: MediaOptions) -> int:
    """Return the length in bytes of an uploaded file's part, before the file's name exists."""
    return len(FilePart(mime_type, URI_PREFIX + "x" * NAME_CHARS, options).json())


def part_length(part: Part) -> int:
    """Return the length in bytes of a part in the request."""
    if isinstance(part, InlinePart):
        return len(part.head()) + base64_length(sum(map(len, part.slices))) + len(part.tail())
    return len(part.json())


@lru_cache(maxsize=256)
def inline_overhead(mime_type: str, options: MediaOptions) -> int:
    """Return the length in bytes of an inline part without its base64."""
    return part_length(InlinePart(mime_type, (), options))


def turns_length(turns: Sequence[Turn]) -> int:
    """Return the length in bytes of turns in `contents`, with a comma after each."""
    return sum(len(_turn_head(turn)) + _parts_length(turn.parts) + len(_TURN_END) + 1 for turn in turns)


def _parts_length(parts: Sequence[Part]) -> int:
    return sum(map(part_length, parts)) + max(0, len(parts) - 1)


def _turn_head(turn: Turn) -> bytes:
    return _USER if turn.role == "user" else b'{"role":"model","parts":['


ENVELOPE_BYTES = len(_HEAD) + len(_USER) + len(_TURN_END) + len(b"]}")
"""Length in bytes of a request of one turn, without parts and options."""


@dataclass(slots=True)
class GenerateRequest:
    """A request ready to be written. `options` is the result of `Options.json`."""

    turns: Sequence[Turn]
    options: bytes
    wrapper: tuple[bytes, bytes] = (b"", b"")
    _pieces: list[bytes | Sequence[bytes]] = field(default_factory=list)
    size_bytes: int = 0

    def __post_init__(self) -> None:
        # A wrapper's head already ends in the comma before the first member.
        text = bytearray(self.wrapper[0] + _HEAD[1:] if self.wrapper[0] else _HEAD)
        for index, turn in enumerate(self.turns):
            text += (b"," if index else b"") + _turn_head(turn)
            for number, part in enumerate(turn.parts):
                text += b"," if number else b""
                text = self._add(text, part)
            text += _TURN_END
        self._flush(text + b"]" + self.options + b"}" + self.wrapper[1])

    def _add(self, text: bytearray, part: Part) -> bytearray:
        if isinstance(part, TextPart | FilePart):
            text += part.json()
            return text
        self._flush(text + part.head())
        self._pieces.append(part.slices)
        self.size_bytes += base64_length(sum(map(len, part.slices)))
        return bytearray(part.tail())

    def _flush(self, text: bytearray) -> None:
        self._pieces.append(bytes(text))
        self.size_bytes += len(text)

    def _encoded(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from map(pybase64.b64encode, piece)

    def whole(self) -> bytes | None:
        """Return a small request in one piece, which saves writes; None for a request to send in pieces."""
        return b"".join(self._encoded()) if self.size_bytes <= WHOLE_BYTES else None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the request; media are encoded piece by piece."""
        for piece in self._encoded():
            yield piece
