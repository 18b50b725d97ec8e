"""Reads values of Gemini's JSON: a value of an unexpected type reads as empty or None."""

from collections.abc import Mapping


def mapping(value: object) -> Mapping[str, object]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """Return `value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Return `value` if it is a string and not empty, else None."""
    return value if isinstance(value, str) and value else None
