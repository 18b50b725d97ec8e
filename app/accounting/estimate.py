"""Estimates of a call's tokens before the model is asked: the amounts that are reserved for it.

The rules for media are those that Google publishes. If a file's length is not known, a generous guess from its bytes
stands in, since a surplus is given back. This module knows no client and no limit.
"""

from dataclasses import dataclass

from app.gemini.models import STANDARD
from app.media.types import MediaKind
from app.store.records import MediaFacts

CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 1_120
PAGE_TOKENS = 560
SOUND_TOKENS_PER_S = 32
VIDEO_TOKENS_PER_S = 300
BYTES_PER_TOKEN = {MediaKind.AUDIO: 500, MediaKind.VIDEO: 1_000, MediaKind.DOCUMENT: 100, MediaKind.TEXT: 4}
"""For media of unknown length."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The tokens that a call may use: its input, and the client's own cap on its output, None for none.

    `tier` is the service tier that the request names, `paid_tools` are the tools in it that cost extra.
    """

    input_tokens: int
    max_output_tokens: int | None = None
    tier: str = STANDARD
    paid_tools: frozenset[str] = frozenset()


def media_tokens(kind: MediaKind | None, size_bytes: int, facts: MediaFacts) -> int:
    """Return the estimated input tokens of one file."""
    match kind:
        case MediaKind.IMAGE:
            return IMAGE_TOKENS
        case MediaKind.DOCUMENT if facts.pages is not None:
            return facts.pages * PAGE_TOKENS
        case MediaKind.AUDIO if facts.duration is not None:
            return round(facts.duration * SOUND_TOKENS_PER_S)
        case MediaKind.VIDEO if facts.duration is not None:
            return round(facts.duration * VIDEO_TOKENS_PER_S)
        case _:
            return size_bytes // BYTES_PER_TOKEN.get(kind or MediaKind.TEXT, CHARS_PER_TOKEN) + 1
