"""Estimates of a prompt's media."""

import pytest

from app.accounting.estimate import media_tokens
from app.media.types import MediaKind
from app.store.records import MediaFacts


@pytest.mark.parametrize(
    ("kind", "size_bytes", "facts", "tokens"),
    [
        (MediaKind.IMAGE, 5_000_000, MediaFacts(), 1_120),
        (MediaKind.DOCUMENT, 5_000_000, MediaFacts(pages=10), 5_600),
        (MediaKind.AUDIO, 5_000_000, MediaFacts(duration=60.0), 1_920),
        (MediaKind.VIDEO, 5_000_000, MediaFacts(duration=10.0), 3_000),
        (MediaKind.TEXT, 4_000, MediaFacts(), 1_001),
        (None, 4_000, MediaFacts(), 1_001),
    ],
)
def test_media_tokens_are_estimated_from_known_facts(
    kind: MediaKind | None, size_bytes: int, facts: MediaFacts, tokens: int
) -> None:
    assert media_tokens(kind, size_bytes, facts) == tokens
