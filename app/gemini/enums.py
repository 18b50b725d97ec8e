"""Names of the enums that Gemini may write as numbers, as it does for `alt=json;enum-encoding=int`. Pure functions.

The numbers are those of Google's package google-ai-generativelanguage.
"""

FINISH_REASONS = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
)
MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")


def name_of(value: object, names: tuple[str, ...]) -> str | None:
    """Return the name of an enum value, written as a name or a number; None for any other value."""
    if isinstance(value, str):
        return value or None
    return names[value] if type(value) is int and 0 <= value < len(names) else None
