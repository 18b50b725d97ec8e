"""Estimates the tokens of a relayed request before it is sent, from the scanner's facts and the registry's files."""

from app.accounting.estimate import CHARS_PER_TOKEN, Estimate, media_tokens
from app.gemini.models import LONGEST_PROMPT_TOKENS, STANDARD
from app.media.types import kind_of
from app.native.scanning import BodyFacts
from app.store.records import NO_FACTS, StoredFile

LEAST_TOKENS = 16
_STANDARD_TIERS = frozenset({"", "unspecified", "auto", "default"})
"""Words for a call without a chosen tier: Gemini's zero value, and OpenAI's."""


def estimate_of(facts: BodyFacts, files: list[StoredFile], cached_tokens: int) -> Estimate:
    """Return the estimate of a scanned request, with the files that it names and the tokens of its cache."""
    tokens = LEAST_TOKENS + content_tokens(facts, files) + cached_tokens
    most = facts.max_output_tokens
    output = None if most is None else most * facts.candidates
    return Estimate(tokens, output, tier_of(facts), frozenset(facts.paid_tools))


def tier_of(facts: BodyFacts) -> str:
    """Return the service tier that a scanned request names, in one spelling."""
    tier = (facts.service_tier or STANDARD).removeprefix("service_tier_")
    return STANDARD if tier in _STANDARD_TIERS else tier


def content_tokens(facts: BodyFacts, files: list[StoredFile]) -> int:
    """Return the estimated tokens of scanned JSON and of the files that it names."""
    tokens = facts.text_bytes // CHARS_PER_TOKEN
    for mime_type, count in facts.media_count.items():
        # Base64 has four characters for three bytes. Only the sum of a type is known: each medium counts as the mean.
        size_bytes = facts.media_bytes[mime_type] * 3 // 4 // count
        tokens += count * media_tokens(kind_of(mime_type), size_bytes, NO_FACTS)
    for file in files:
        upload = file.upload
        tokens += media_tokens(kind_of(upload.mime_type), upload.size_bytes, upload.facts)
    return tokens


def estimate_of_length(length: int) -> Estimate:
    """Return the estimate of a request of which only the length in bytes is known: all text, up to a model's window."""
    return Estimate(min(length // CHARS_PER_TOKEN, LONGEST_PROMPT_TOKENS))
