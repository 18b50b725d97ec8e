"""Estimates of a prompt's media."""

import pytest

from app.accounting.estimating import media_tokens
from app.media.types import Kind
from app.store.records import Facts


@pytest.mark.parametrize(
    ("kind", "size_bytes", "facts", "tokens"),
    [
        (Kind.IMAGE, 5_000_000, Facts(), 1_120),
        (Kind.DOCUMENT, 5_000_000, Facts(pages=10), 5_600),
        (Kind.AUDIO, 5_000_000, Facts(duration=60.0), 1_920),
        (Kind.VIDEO, 5_000_000, Facts(duration=10.0), 3_000),
        (Kind.TEXT, 4_000, Facts(), 1_001),
        (None, 4_000, Facts(), 1_001),
    ],
)
def test_media_tokens_are_estimated_from_known_facts(
    kind: Kind | None, size_bytes: int, facts: Facts, tokens: int
) -> None:
    assert media_tokens(kind, size_bytes, facts) == tokens
