"""Strings of a given format, length and pattern. Knows nothing of schemas around them."""

from collections.abc import Iterator

from gemini_emulator.schemas.patterns import UnwritablePatternError, write_match
from gemini_emulator.schemas.validity import is_valid

_PADDING = "x"
_LONGEST = 100_000
_MOST_REPEATS = 64

_FIXED = {
    "date-time": "2026-11-24T09:30:00Z",
    "date": "2026-11-24",
    "time": "09:30:00Z",
    "duration": "PT1M30S",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "3f2b8c1e-5d4a-4e6f-9a7b-1c2d3e4f5a6b",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": "^a$",
    "byte": "AAAA",
}
_URI_FORMATS = frozenset({"uri", "uri-reference", "iri", "iri-reference", "uri-template", "url"})
_EMAIL_FORMATS = frozenset({"email", "idn-email"})
_FREE_FORMATS = frozenset({"", "enum", "password", "binary", "string", "text"})


def write_string(
    *, text: str, string_format: str = "", pattern: str | None = None, shortest: int = 0, longest: int | None = None
) -> str | None:
    """Write a string that meets all demands, or None when none was found.

    Args:
        text: the content of a free string, cut or padded to fit.
        string_format: a format of JSON Schema; unknown ones constrain nothing.
        pattern: a regular expression, in JSON Schema's dialect, that must be found in the string.
        shortest: least number of characters.
        longest: greatest number of characters.

    Raises:
        UnsupportedSchemaError: when the pattern is no regular expression.

    """
    most = _LONGEST if longest is None else min(longest, _LONGEST)
    if shortest > most:
        return None
    for candidate in _candidates(text, string_format, pattern, shortest, most):
        if shortest <= len(candidate) <= most and _meets(candidate, string_format, pattern):
            return candidate
    return None


def _candidates(text: str, string_format: str, pattern: str | None, shortest: int, longest: int) -> Iterator[str]:
    if string_format in _FIXED:
        yield _FIXED[string_format]
    elif string_format in _URI_FORMATS:
        yield "https://example.com/".ljust(shortest, _PADDING)
        yield "a:b".ljust(shortest, _PADDING)
    elif string_format in _EMAIL_FORMATS:
        yield "ann@example.com".rjust(shortest, "a")
        yield "a@b.co"
    else:
        yield _fit(text, shortest, longest)
    if pattern is not None:
        yield from _matches(pattern, shortest)


def _fit(text: str, shortest: int, longest: int) -> str:
    source = text or _PADDING
    padded = text if len(text) >= shortest else source * (-(-shortest // len(source)))
    return padded[: max(shortest, min(longest, len(text)))]


def _matches(pattern: str, shortest: int) -> Iterator[str]:
    """Write matches with more and more repeats, until one can be as long as wanted."""
    for repeats in sorted({*range(min(shortest, _MOST_REPEATS) + 1), shortest}):
        try:
            match = write_match(pattern, repeats, longest=_LONGEST)
        except UnwritablePatternError:
            return
        yield match
        if len(match) < shortest:
            yield match.ljust(shortest, _PADDING)


def _meets(candidate: str, string_format: str, pattern: str | None) -> bool:
    """Ask the validator, whose regular expressions take bounded time with any pattern."""
    schema: dict[str, object] = {"format": string_format} if string_format not in _FREE_FORMATS else {}
    if pattern is not None:
        schema["pattern"] = pattern
    return not schema or is_valid(schema, candidate)
