"""What the items of a prompt may take in tokens, before they are counted. It knows no client and no limit."""

from collections.abc import Sequence

from app.accounting.estimating import CHARS_PER_TOKEN, media_tokens
from app.api.prompt import Item, Stored
from app.media.incoming import Incoming
from app.media.types import kind_of
from app.store.records import NO_FACTS

TASK_TOKENS = 1_000
"""What a task's instruction may take."""
ADDRESS_TOKENS = 50_000
"""A film of which only the address is known."""


def input_tokens(items: Sequence[Item]) -> int:
    """Estimate what the items of a prompt take, by the published rules and what is known of each file."""
    tokens = TASK_TOKENS
    for item in items:
        tokens += _item_tokens(item)
    return tokens


def _item_tokens(item: Item) -> int:
    if isinstance(item, str):
        return len(item) // CHARS_PER_TOKEN + 1
    if isinstance(item, Incoming):
        facts = item.transfer.facts if item.transfer is not None else item.facts or NO_FACTS
        return media_tokens(item.type.kind, item.size_bytes, facts)
    if isinstance(item, Stored):
        upload = item.file.upload
        return media_tokens(kind_of(upload.mime_type), upload.size_bytes, upload.facts)
    if item.report.size_bytes is None:
        return ADDRESS_TOKENS
    return media_tokens(kind_of(item.report.mime_type), item.report.size_bytes, NO_FACTS)
