"""What a prompt may take in tokens, before it is counted: so much of a client's limits is reserved for it.

The rules are those that Google publishes; where a file's length is not known its bytes stand for it, generously, since
a reservation that is too large is given back. It knows no client and no limit.
"""

from collections.abc import Sequence

from app.accounting.metering import CHARS_PER_TOKEN
from app.api.prompt import Item, Stored
from app.media.incoming import Incoming
from app.media.types import Kind, kind_of
from app.store.records import Facts

TASK_TOKENS = 1_000
"""What a task's instruction may take."""
IMAGE_TOKENS = 1_120
PAGE_TOKENS = 560
SOUND_TOKENS_PER_S = 32
VIDEO_TOKENS_PER_S = 300
BYTES_PER_TOKEN = {Kind.AUDIO: 500, Kind.VIDEO: 1_000, Kind.DOCUMENT: 100, Kind.TEXT: 4}
"""For media whose length is not known."""
ADDRESS_TOKENS = 50_000
"""A film of which only the address is known."""


def input_tokens(items: Sequence[Item]) -> int:
    """Estimate what the items of a prompt take, by the published rules and what is known of each file."""
    return TASK_TOKENS + sum(_item_tokens(item) for item in items)


def _item_tokens(item: Item) -> int:
    if isinstance(item, str):
        return len(item) // CHARS_PER_TOKEN + 1
    if isinstance(item, Incoming):
        facts = item.transfer.facts if item.transfer is not None else item.facts or Facts()
        return media_tokens(item.type.kind, item.size_bytes, facts)
    if isinstance(item, Stored):
        upload = item.file.upload
        return media_tokens(kind_of(upload.mime_type), upload.size_bytes, upload.facts)
    if item.report.size_bytes is None:
        return ADDRESS_TOKENS
    return media_tokens(kind_of(item.report.mime_type), item.report.size_bytes, Facts())


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
