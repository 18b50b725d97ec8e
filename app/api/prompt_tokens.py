"""Estimates the tokens of a prompt's items before Gemini counts them. This module knows no client and no limit."""

from collections.abc import Sequence

from app.accounting.estimate import CHARS_PER_TOKEN, media_tokens
from app.api.prompt import Item, Stored
from app.media.incoming_file import IncomingFile
from app.media.types import kind_of
from app.store.records import NO_FACTS

# Estimated tokens of a task's instruction.
TASK_TOKENS = 1_000
# Estimated tokens of a video of which only the URL is known.
ADDRESS_TOKENS = 50_000


def input_tokens(items: Sequence[Item]) -> int:
    """Return the estimated tokens of a prompt's items, by the published rules and the facts of each file."""
    tokens = TASK_TOKENS
    for item in items:
        tokens += _item_tokens(item)
    return tokens


def _item_tokens(item: Item) -> int:
    if isinstance(item, str):
        return len(item) // CHARS_PER_TOKEN + 1
    if isinstance(item, IncomingFile):
        return media_tokens(item.type.kind, item.size_bytes, item.facts)
    if isinstance(item, Stored):
        upload = item.file.upload
        return media_tokens(kind_of(upload.mime_type), upload.size_bytes, upload.facts)
    if item.report.size_bytes is None:
        # The length of the video is unknown until Gemini has fetched it.
        return ADDRESS_TOKENS
    return media_tokens(kind_of(item.report.mime_type), item.report.size_bytes, NO_FACTS)
