"""Masks the operator's data in Gemini's errors: the key, the project, addresses, the consumer.

    error body ──> JSON strings ──(patterns, the key itself, names of fields)──> the same bytes, masked in place
    other whole answer ──> the `error` of its object, of an operation, of each result of a batch ──> masked

Google's errors name the consumer ("consumer 'project_number:7395'") and link to its console. An error without
anything to mask is returned unchanged, byte for byte. This module knows no status and no surface.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import orjson

from app.errors import UpstreamFailedError

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
        # Without the look-behind and the possessive repeat, a long word would be tried from each of its letters.
        r"(?<![\w.+-])[\w.+-]++@[\w-]+\.[\w.-]+",
    )
)
# The values of these fields are always masked, since in google.rpc.ErrorInfo's metadata a project id is a bare word.
_PRIVATE_FIELDS: Final = frozenset(
    {"consumer", "containerinfo", "consumerid", "project", "projectid", "projectnumber", "principal", "principalemail"}
    | {"serviceaccount", "quotaproject", "apikey"}
)
# Bytes that are not UTF-8 are kept as they are.
_BYTES: Final = ("utf-8", "surrogateescape")
_ERROR_NAME: Final = b'"error"'
# A shorter string holds neither a key nor an address nor a project.
_SHORTEST_PRIVATE: Final = 5
# A string that nothing ends reaches to the end of the body, and repeats are possessive, so that the time is linear.
_CONTENT: Final = rb'(?:[^"\\]|\\.?)*+'
_VALUE: Final = rb'(?P<value>"' + _CONTENT + rb'(?P<ended>"?)|-?[0-9][0-9.eE+-]*+)'
# A string, and the text or number after it if the string is the name of a field.
_STRING: Final = re.compile(rb'"(?P<string>' + _CONTENT + rb')(?:"(?:\s*+:\s*+' + _VALUE + rb")?)?", re.DOTALL)
_HIDDEN: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
# Halves of surrogate pairs, except those that stand for a byte that is not UTF-8.
_LONE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
Places: TypeAlias = "Mapping[str, Places]"
_OUTPUT: Final[Places] = {
    "inlinedResponses": {"inlinedResponses": {}},
    "inlinedEmbedContentResponses": {"inlinedResponses": {}},
}
_OPERATION: Final[Places] = {"response": _OUTPUT, "output": _OUTPUT, "metadata": {"output": _OUTPUT}}
# Where an error stands in an answer that is none: in a resource, an operation, a batch's results, and lists of them.
_PLACES: Final[Places] = {**_OPERATION, "operations": _OPERATION, "batches": _OPERATION, "file": {}, "files": {}}


def without_private(text: str) -> str:
    """Return a text with all words masked that look like a key, a project, a consumer or an address."""
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return text


class Masking:
    """Masks by patterns, and the gateway's own keys literally. `secrets` returns the current and the former key."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._secrets = secrets

    def text(self, text: str) -> str:
        """Return a text with all of the operator's data masked."""
        for secret in self._secrets():
            if len(secret) >= _SHORTEST_KEY:
                text = text.replace(secret, MASK)
        return without_private(text)

    def body(self, body: bytes) -> bytes:
        """Return the uncompressed body of an error with the operator's data masked in place.

        Strings are masked at any depth, even in broken JSON.
        """
        masked = _STRING.sub(self._token, body)
        if _is_json(body):
            return masked
        return self.text(masked.decode(*_BYTES)).encode(*_BYTES)

    async def error(self, body: bytes) -> bytes:
        """Return the body of an error like `body`, using a thread for a long body so that no other call waits."""
        return self.body(body) if len(body) <= AT_ONCE_BYTES else await asyncio.to_thread(self.body, body)

    async def document(self, body: bytes) -> bytes:
        """Return a whole answer that is no error, with the errors in it masked; unchanged if there is nothing to mask.

        Errors are searched only where Gemini writes them, so that the words of a model or client never change. Raises
        UpstreamFailedError if an error that needs a mask is nested too deeply to be written again.
        """
        if _ERROR_NAME not in body:
            return body
        return self._document(body) if len(body) <= AT_ONCE_BYTES else await asyncio.to_thread(self._document, body)

    def _document(self, body: bytes) -> bytes:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            # A more lenient reader may find an error in it.
            return self.body(body)
        try:
            return orjson.dumps(document) if self._mask_errors(document, _PLACES) else body
        except orjson.JSONEncodeError as error:
            raise UpstreamFailedError("Gemini's answer has an error that is nested too deeply.") from error

    def _mask_errors(self, value: object, places: "Places") -> bool:
        """Mask the errors of an object, or of each object in a list; returns whether there was anything to mask."""
        objects = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
        has_masked = False
        for item in objects:
            if isinstance(item.get("error"), dict | str):
                written = orjson.dumps(item["error"])
                masked = self.body(written)
                if masked != written:
                    item["error"], has_masked = orjson.loads(masked), True
            for name, below in places.items():
                has_masked = self._mask_errors(item.get(name), below) or has_masked
        return has_masked

    def _token(self, match: re.Match[bytes]) -> bytes:
        """Return a JSON string, masked, and the value after it if the string is the name of a field."""
        whole, start = match[0], match.start()
        name = self._string(match["string"])
        between = whole[match.end("string") - start : match.start("value") - start]
        if match["value"] is None:
            return b'"' + name + whole[match.end("string") - start :]
        value = match["value"]
        if match["value"].strip(b'"') and _folded(match["string"]) in _PRIVATE_FIELDS:
            value = b'"%b"' % MASK.encode()
        elif value[:1] == b'"':
            ending = b'"' if match["ended"] else b""
            value = b'"' + self._string(value[1 : len(value) - len(ending)]) + ending
        return b'"' + name + between + value

    def _string(self, content: bytes) -> bytes:
        if len(content) < _SHORTEST_PRIVATE:
            return content
        text = _unescaped(content)
        masked = self.text(text)
        if masked == text:
            return content
        return _written(masked) if b"\\" in content else masked.encode(*_BYTES)


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _unescaped(content: bytes) -> str:
    text = content.decode(*_BYTES)
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        # Only a lenient reader takes such a string. It knows this escape too, which alone can hide a letter.
        return _HIDDEN.sub(lambda found: chr(int(found[1], 16)), text)


def _written(text: str) -> bytes:
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped).encode(*_BYTES)


def _folded(name: bytes) -> str:
    return _unescaped(name).lower().replace("_", "").replace("-", "")


def is_error_event(data: bytes) -> bool:
    """Return whether the JSON of an event is an error: an object with an `error`, or a list that begins with one."""
    if _ERROR_NAME not in data:
        return False
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return True
    if isinstance(document, list) and document:
        document = document[0]
    return isinstance(document, dict) and isinstance(document.get("error"), dict | str)
