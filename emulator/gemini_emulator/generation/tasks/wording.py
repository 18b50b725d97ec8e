"""Small pieces of English for descriptions of media."""

from collections.abc import Sequence


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def listed(nouns: Sequence[str]) -> str:
    """Join nouns as a sentence has them; "" for none."""
    return " and ".join(filter(None, [", ".join(nouns[:-1]), *nouns[-1:]]))


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in English."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
