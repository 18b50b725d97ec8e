"""Enums of an answer as numbers, as Google's generated clients ask for them by `enum-encoding=int`.

The numbers are those of Google's package google-ai-generativelanguage; a name without a known number stays a name.
"""

from collections.abc import Mapping

_FINISH_REASONS = (
    "FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION OTHER LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII "
    "MALFORMED_FUNCTION_CALL IMAGE_SAFETY"
)
_BLOCK_REASONS = "BLOCK_REASON_UNSPECIFIED SAFETY OTHER BLOCKLIST PROHIBITED_CONTENT IMAGE_SAFETY"
_MODALITIES = "MODALITY_UNSPECIFIED TEXT IMAGE VIDEO AUDIO DOCUMENT"


def _numbered(names: str) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names.split())}


_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "finishReason": _numbered(_FINISH_REASONS),
    "blockReason": _numbered(_BLOCK_REASONS),
    "modality": _numbered(_MODALITIES),
    "state": {"STATE_UNSPECIFIED": 0, "PROCESSING": 1, "ACTIVE": 2, "FAILED": 10},
}


def with_numbered_enums(value: object) -> object:
    """Return a copy of an answer in which the known enums are numbers."""
    if isinstance(value, list):
        return [with_numbered_enums(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _number(name, item) for name, item in value.items()}


def _number(name: str, item: object) -> object:
    numbers = _NUMBERS.get(name)
    if numbers is not None and isinstance(item, str):
        return numbers.get(item, item)
    return with_numbered_enums(item)
