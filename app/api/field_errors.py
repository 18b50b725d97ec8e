"""Errors of fields in plain words: pydantic's findings, with the field's path, the allowed values and the remedy.

Forms, JSON bodies and query parameters share this module. It reads no request.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from app.errors import FieldError

MAX_SHOWN_CHARS = 60
MAX_PATH_CHARS = 200

# Names that other APIs use for a field of this one.
OTHER_NAMES: Mapping[str, str] = {
    "system": "system_instruction",
    "instructions": "system_instruction",
    "schema": "response_schema",
    "json_schema": "response_schema",
    "response_format": "response_schema",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "stop_sequences": "stop",
}

Context = Mapping[str, Any]
Words = Callable[[Context], tuple[str, str | None]]


def _kind(words: str) -> Words:
    return lambda _: (f"must be {words}", words)


def _limit(sign: str, words: str, name: str) -> Words:
    return lambda context: (f"must be {words} {context[name]}", f"{sign} {context[name]}")


def _length(words: str, name: str, unit: str) -> Words:
    def length(context: Context) -> tuple[str, str]:
        counted = f"{words} {context[name]} {unit}{'' if context[name] == 1 else 's'}"
        return f"must have {counted}", counted

    return length


_TEXT = _kind("text")
_WHOLE_NUMBER = _kind("a whole number")
_NUMBER = _kind("a number")
_BOOLEAN = _kind("true or false")
_DATE = _kind("an RFC 3339 time, as 2026-01-31T12:00:00Z")
_OBJECT = _kind("an object")

# By pydantic's types of errors: the message, and the allowed values.
WORDS: Mapping[str, Words] = {
    "missing": lambda _: ("is missing", None),
    "extra_forbidden": lambda _: ("unknown field", None),
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _kind("a finite number"),
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": _kind("a list"),
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "datetime_type": _DATE,
    "datetime_parsing": _DATE,
    "datetime_from_date_parsing": _DATE,
    "datetime_object_invalid": _DATE,
    "literal_error": lambda context: (f"must be one of {context['expected']}", str(context["expected"])),
    "enum": lambda context: (f"must be one of {context['expected']}", str(context["expected"])),
    "greater_than": _limit(">", "more than", "gt"),
    "greater_than_equal": _limit(">=", "at least", "ge"),
    "less_than": _limit("<", "less than", "lt"),
    "less_than_equal": _limit("<=", "at most", "le"),
    "string_too_short": _length("at least", "min_length", "character"),
    "string_too_long": _length("at most", "max_length", "character"),
    "too_short": _length("at least", "min_length", "item"),
    "too_long": _length("at most", "max_length", "item"),
    "string_pattern_mismatch": lambda context: ("does not have the allowed form", str(context["pattern"])),
}


class ClosedModel(BaseModel):
    """A model of JSON whose errors name the nearest known field for an unknown field."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: object) -> object:
        if isinstance(value, dict):
            for name in value:
                if name not in cls.model_fields:
                    raise unknown(str(name), cls.model_fields)
        return value


def unknown(name: str, known: Iterable[str]) -> PydanticCustomError:
    """Return the error for a field that a model does not have."""
    names = list(known)
    return PydanticCustomError(
        "unknown_field",
        "{message}",
        {
            "field": name[:MAX_SHOWN_CHARS],
            "message": f"unknown field{nearest(name, names)}",
            "allowed": ", ".join(names),
        },
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a question for the known name that is nearest to `name`, with a space before it; else an empty string."""
    meant = OTHER_NAMES.get(name)
    near = [meant] if meant in known else difflib.get_close_matches(name[:MAX_SHOWN_CHARS], known, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def field_error(item: Mapping[str, Any], field: str = "", received: str | None = None) -> FieldError:
    """Return one of pydantic's errors as the error of a field, whose path begins with `field`."""
    context = item.get("ctx") or {}
    path = field + "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in item["loc"])
    if item["type"] == "unknown_field":
        path += f".{context['field']}"
    words = WORDS.get(item["type"])
    message, allowed = (item["msg"], context.get("allowed")) if words is None else words(context)
    return FieldError(
        path.lstrip(".")[:MAX_PATH_CHARS], message.removeprefix("Value error, "), received=received, allowed=allowed
    )
