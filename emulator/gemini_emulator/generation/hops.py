"""Long decode: an answer over several requests ("hops"), each of which continues at a token of the last.

    request ──> hop 1: text, CONTINUATION, token ──> the same request with the token ──> hop 2 ──> ... ──> STOP

A token says how many characters of the answer it has, and of which request; `maxOutputTokens` may differ, since a hop
that ended with MAX_TOKENS continues with a raised one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson
import pybase64

from gemini_emulator.catalogue import Model
from gemini_emulator.failures import invalid
from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.responses import Identity
from gemini_emulator.proto.blobs import Blob
from gemini_emulator.proto.fields import Fields
from gemini_emulator.tokens import text_tokens

STREAMED_TOKENS, WHOLE_TOKENS = 65_536, 32_768
_CHARS_PER_TOKEN = 4
_FINGERPRINT_CHARS = 16


@dataclass(frozen=True, slots=True)
class Hop:
    """The part of an answer that a request gets: from `start`, in characters, and of at most `limit_tokens`."""

    start: int
    limit_tokens: int
    fingerprint: str

    def token_at(self, chars: int) -> str:
        """Return the token that continues after so many characters of this hop."""
        return pybase64.b64encode(orjson.dumps([self.start + chars, self.fingerprint])).decode()

    def identity(self, identity: Identity, answer: Answer) -> Identity:
        """Return the identity of the hop's answer: each hop reads the prompt and all output so far."""
        tokens = dict(identity.prompt_tokens)
        tokens["TEXT"] = tokens.get("TEXT", 0) + text_tokens(answer.text[: self.start])
        return replace(identity, prompt_tokens=tokens)

    def part_of(self, answer: Answer) -> Answer:
        """Return this hop's part of the whole answer. Raises ApiFailureError if the answer ends before the hop."""
        rest = answer.text[self.start :]
        if self.start and not rest:
            raise invalid("continuation_token: the answer ended before; raise max_output_tokens.")
        thoughts = "" if self.start else answer.thoughts
        part = replace(answer, text=rest, thoughts=thoughts, token_at=self.token_at)
        most = self.limit_tokens * _CHARS_PER_TOKEN
        if len(rest) <= most:
            return part
        return replace(part, text=rest[:most], finish_reason="CONTINUATION", finish_message="")


def hop_of(request: Mapping[str, object], model: Model, limit_tokens: int) -> Hop | None:
    """Return the hop that a request asks for; None for one that asks for an ordinary answer.

    Raises ApiFailureError for a token that is not of this request.
    """
    fields = Fields(request)
    token = fields.blob("continuationToken")
    asked = fields.fields("generationConfig").integer("maxOutputTokens") or 0
    if not model.decodes_long:
        if token is not None:
            raise invalid(f"continuation_token is not supported by models/{model.name}.")
        return None
    if token is None and asked <= model.output_limit:
        return None
    fingerprint = _fingerprint(request)
    start = 0 if token is None else _start_of(token, fingerprint)
    return Hop(start, limit_tokens, fingerprint)


def _start_of(token: Blob, fingerprint: str) -> int:
    try:
        start, owner = orjson.loads(token.data)
    except (orjson.JSONDecodeError, TypeError, ValueError):
        start, owner = -1, ""
    if owner != fingerprint or not isinstance(start, int):
        raise invalid("continuation_token: the token is not of this request.")
    return start


def _fingerprint(request: Mapping[str, object]) -> str:
    kept = {name: value for name, value in request.items() if name not in {"continuationToken", "generationConfig"}}
    config = request.get("generationConfig")
    options = (
        {name: value for name, value in config.items() if name != "maxOutputTokens"} if isinstance(config, dict) else {}
    )
    written = orjson.dumps([kept, options], default=_hash_of, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(written).hexdigest()[:_FINGERPRINT_CHARS]


def _hash_of(value: object) -> str:
    if isinstance(value, Blob):
        return value.sha256
    raise TypeError
