"""What media may take in tokens, before they are counted: so much of a client's limits is reserved for them.

The rules are those that Google publishes; where a file's length is not known its bytes stand for it, generously, since
a reservation that is too large is given back. It knows no client and no limit.
"""

from app.media.types import Kind
from app.store.records import Facts

CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 1_120
PAGE_TOKENS = 560
SOUND_TOKENS_PER_S = 32
VIDEO_TOKENS_PER_S = 300
BYTES_PER_TOKEN = {Kind.AUDIO: 500, Kind.VIDEO: 1_000, Kind.DOCUMENT: 100, Kind.TEXT: 4}
"""For media whose length is not known."""


def media_tokens(kind: Kind | None, size_bytes: int, facts: Facts) -> int:
    """Estimate what one file takes."""
    match kind:
        case Kind.IMAGE:
            return IMAGE_TOKENS
        case Kind.DOCUMENT if facts.pages is not None:
            return facts.pages * PAGE_TOKENS
        case Kind.AUDIO if facts.duration is not None:
            return round(facts.duration * SOUND_TOKENS_PER_S)
        case Kind.VIDEO if facts.duration is not None:
            return round(facts.duration * VIDEO_TOKENS_PER_S)
        case _:
            return size_bytes // BYTES_PER_TOKEN.get(kind or Kind.TEXT, CHARS_PER_TOKEN) + 1
