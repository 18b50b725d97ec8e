"""Masks what Gemini's errors say of the operator: the key, the project, addresses, the consumer.

    error body ──> JSON strings ──(patterns, the key itself, names of fields)──> the same bytes, or the masked JSON

Google's errors name the consumer ("consumer 'project_number:7395'") and link to its console. An error that holds
nothing to mask is returned unchanged, byte for byte. This module knows no status and no surface.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

import orjson

MASK: Final = "..."
AT_ONCE_BYTES: Final = 1 << 15
# A shorter word than any key could be part of an ordinary message.
_SHORTEST_KEY: Final = 8
# Each pattern takes linear time on any text, so a hostile error of the largest size costs milliseconds.
_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bAIza[\w-]{10,}",
        r"\bAQ\.[\w-]{10,}",
        r"\bkey[=:]\s*[\w-]{16,}",
        r"\bprojects?(?:_?(?:number|id))?[/:=#]+\s*[\w.:-]+",
        r"\bprojects?[ #]+['\"]?[\w-]*\d[\w-]*",
        r"\bprojects? ['\"][\w.:-]+",
        r"\bconsumers?[/:=]+\s*[\w.:/-]+",
        # The look-behind and the possessive repeat keep a long word from being tried from each of its letters.
        r"(?<![\w.+-])[\w.+-]++@[\w-]+\.[\w.-]+",
    )
)
# The values of these fields are masked whatever they say: in google.rpc.ErrorInfo's metadata, project ids stand alone.
_PRIVATE_FIELDS: Final = frozenset(
    {"consumer", "containerinfo", "consumerid", "project", "projectid", "projectnumber", "principal", "principalemail"}
    | {"serviceaccount", "quotaproject", "apikey"}
)


def without_private(text: str) -> str:
    """Return a text with everything masked that looks like a key, a project, a consumer or an address."""
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return text


class Masking:
    """Masks by patterns, and the gateway's own keys literally. `secrets` returns the keys in use now or just before."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._secrets = secrets

    def text(self, text: str) -> str:
        """Return a text with everything masked that is the operator's."""
        for secret in self._secrets():
            if len(secret) >= _SHORTEST_KEY:
                text = text.replace(secret, MASK)
        return without_private(text)

    def body(self, body: bytes) -> bytes:
        """Return the body of an error, uncompressed: unchanged if nothing in it is the operator's."""
        # Of a name that is given twice, one reader of JSON takes the first value and another the last.
        raw = body.decode("latin-1")
        masked = self.text(raw)
        is_private = masked != raw
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return masked.encode("latin-1") if is_private else body
        shown = self._masked(document)
        return orjson.dumps(shown) if is_private or shown != document else body

    async def error(self, body: bytes) -> bytes:
        """Return the body of an error as `body` does, a long one by a thread, so that no other call waits."""
        return self.body(body) if len(body) <= AT_ONCE_BYTES else await asyncio.to_thread(self.body, body)

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self._member(name, item) for name, item in value.items()}
        return value

    def _member(self, name: str, value: object) -> object:
        is_private = name.lower().replace("_", "").replace("-", "") in _PRIVATE_FIELDS
        if is_private and isinstance(value, str | int | float) and not isinstance(value, bool):
            return MASK
        return self._masked(value)


def is_error_event(data: bytes) -> bool:
    """Return whether the JSON of an event is an error: an object with an `error`, or a list that begins with one."""
    if b'"error"' not in data:
        return False
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return True
    if isinstance(document, list) and document:
        document = document[0]
    return isinstance(document, dict) and isinstance(document.get("error"), dict | str)
