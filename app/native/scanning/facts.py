"""The facts of a body that bear on its cost: lengths of text and media, and the values marked in the tables."""

import json
from dataclasses import dataclass, field

_LARGEST_COUNT = 2**31 - 1
"""The largest count of proto3's int32."""


@dataclass(slots=True)
class BodyFacts:
    """BodyFacts of one body. Lengths are bytes as written.

    `media_bytes` is the base64 of inline media by MIME type in lower case ("" if none was given).
    """

    text_bytes: int = 0
    media_bytes: dict[str, int] = field(default_factory=dict)
    media_count: dict[str, int] = field(default_factory=dict)
    max_output_tokens: int | None = None
    candidates: int = 1
    service_tier: str | None = None
    stream: bool | None = None
    store: bool | None = None
    is_background: bool = False
    paid_tools: set[str] = field(default_factory=set)

    def add_media(self, mime_type: str, length: int) -> None:
        """Count one piece of inline media."""
        self.media_bytes[mime_type] = self.media_bytes.get(mime_type, 0) + length
        self.media_count[mime_type] = self.media_count.get(mime_type, 0) + 1

    def take(self, fact: str, written: bytes) -> None:
        """Read a fact from its JSON literal. If several requests of one body set a count, the largest holds."""
        # The standard parser reads any number; orjson refuses numbers too large for a double.
        value = json.loads(written)
        if value is None:
            return
        match fact:
            case "max_output_tokens":
                self.max_output_tokens = max(self.max_output_tokens or 0, _count(value)) or self.max_output_tokens
            case "candidates":
                self.candidates = max(self.candidates, _count(value))
            case "service_tier":
                self.service_tier = str(value)[:40].lower()
            case "is_background":
                # A lenient reader may read any other value as true, and a background call costs after its answer.
                self.is_background = value is not False
            case "stream":
                self.stream = value is True
            case "store":
                self.store = value is not False


def _count(value: object) -> int:
    """Return a count that is written as proto3's JSON allows: a number, or a string of one; 0 for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0
    return min(int(number), _LARGEST_COUNT) if 0 < number < float("inf") else 0
