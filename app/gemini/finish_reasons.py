"""Reasons for which an answer ended, as Gemini and its other surfaces write them, in lower case.

Gemini may add reasons at any time: a reason that is in no set is that of a complete answer.
"""

TRUNCATED = frozenset(
    {
        "max_tokens",
        "continuation",
        # OpenAI's and Interactions' words.
        "length",
        "incomplete",
    }
)
"""A limit cut the answer."""

BLOCKED = frozenset(
    {
        "blocked",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "model_armor",
        "image_safety",
        "image_prohibited_content",
        "image_recitation",
        # OpenAI's word.
        "content_filter",
    }
)
"""Gemini withholds the answer."""

FAILED = frozenset({"failed"})
"""Interactions' word for an answer that Gemini gave up."""
