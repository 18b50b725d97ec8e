"""Estimates the tokens of a relayed request before it is sent, from the scanner's facts and the registry's files."""

from app.accounting.estimating import CHARS_PER_TOKEN, media_tokens
from app.gemini.models import LONGEST_PROMPT_TOKENS
from app.media.types import kind_of
from app.native.metered import Estimated
from app.native.scanning import Facts
from app.store.records import NO_FACTS, StoredFile

LEAST_TOKENS = 16


def estimate_of(facts: Facts, files: list[StoredFile], cached_tokens: int) -> Estimated:
    """Estimate a fully scanned request, together with its referenced files and the tokens of its cache."""
    tokens = LEAST_TOKENS + facts.text_bytes // CHARS_PER_TOKEN + cached_tokens
    for mime_type, count in facts.media_count.items():
        # Base64 has four characters for three bytes. Only the sum of a type is known: each medium counts as the mean.
        size_bytes = facts.media_bytes[mime_type] * 3 // 4 // count
        tokens += count * media_tokens(kind_of(mime_type), size_bytes, NO_FACTS)
    for file in files:
        upload = file.upload
        tokens += media_tokens(kind_of(upload.mime_type), upload.size_bytes, upload.facts)
    most = facts.max_output_tokens
    return Estimated(tokens, None if most is None else most * facts.candidates, facts.service_tier or "standard")


def estimate_of_length(length: int) -> Estimated:
    """Estimate a request of `length` bytes, not yet scanned: all of it text, up to the longest prompt of any model."""
    return Estimated(min(length // CHARS_PER_TOKEN, LONGEST_PROMPT_TOKENS))
