"""A model's answer: read from one GenerateContentResponse, or accumulated from a stream of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import orjson

from app.errors import GatewayError, UpstreamFailedError
from app.gemini import enums
from app.gemini.enums import name_of
from app.gemini.refusals import error_of, read_refusal

Json = dict[str, object]
MODALITIES = ("text", "image", "audio", "video", "document")
_NO_COUNTS = dict.fromkeys(MODALITIES, 0)


# The finish reasons of an answer that ended by itself. proto3 JSON leaves zero values out, so a whole answer may lack
# its finish reason.
UNSPECIFIED = "unspecified"
ENDED = frozenset({"stop", UNSPECIFIED})

# The largest count of proto3's int32.
MAX_TOKENS = 2**31 - 1
NO_MODALITIES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or of several; `input_by_modality` has lower-case names. Output excludes thoughts."""

    input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0
    input_by_modality: Mapping[str, int] = field(default_factory=lambda: NO_MODALITIES)

    @property
    def is_counted(self) -> bool:
        """Return whether any token is counted that costs something."""
        return bool(self.input_tokens or self.output_tokens or self.thinking_tokens)

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.thinking_tokens + other.thinking_tokens,
            self.cached_tokens + other.cached_tokens,
            self.total_tokens + other.total_tokens,
            _sum(self.input_by_modality, other.input_by_modality),
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    if not one or not other:
        return one or other
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text."""

    text: str
    is_thought: bool


class Answer(NamedTuple):
    """The whole answer; reasons are Gemini's in lower case.

    `finish_reason` is "blocked" if Gemini refused the prompt, and "unspecified" if a whole answer has no finish reason.
    """

    text: str
    thoughts: str | None
    finish_reason: str
    finish_message: str | None
    block_reason: str | None
    model: str | None
    usage: Usage
    video_duration: float | None = None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """Return a count of tokens as Gemini states it, 0 for a value that is no count; at most MAX_TOKENS."""
    return min(value, MAX_TOKENS) if type(value) is int and value > 0 else 0


def by_modality(details: object) -> dict[str, int]:
    """Return the tokens by modality, names in lower case, of a list of `{modality, tokenCount}`."""
    counts = _NO_COUNTS.copy()
    for item in map(_object, _list(details)):
        name = name_of(item.get("modality"), enums.MODALITIES)
        if name is not None:
            counts[name.lower()] = count(counts.get(name.lower(), 0) + count(item.get("tokenCount")))
    return counts


def read_usage(metadata: object) -> Usage:
    """Return the usage in `usageMetadata`."""
    get = _object(metadata).get
    return Usage(
        count(get("promptTokenCount")) + count(get("toolUsePromptTokenCount")),
        count(get("candidatesTokenCount")),
        count(get("thoughtsTokenCount")),
        count(get("cachedContentTokenCount")),
        count(get("totalTokenCount")),
        by_modality(get("promptTokensDetails")),
    )


def told_usage(metadata: object) -> Usage | None:
    """Read `usageMetadata`; None if it is absent, or counts nothing."""
    usage = read_usage(metadata)
    return usage if usage.total_tokens or usage.is_counted else None


class AnswerReader:
    """Accumulates an answer from one whole response, or from the responses of a stream in their order."""

    def __init__(self, *, is_stream: bool = True) -> None:
        self._is_stream = is_stream
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._finish_reason: str | None = None
        self._finish_message: str | None = None
        self._block_reason: str | None = None
        self._model: str | None = None
        self._answer: Answer | None = None
        self.usage: Usage | None = None
        """The last usage that came, None if none has."""
        self.text_chars = 0

    def feed(self, data: bytes) -> list[Delta]:
        """Add one response and return its pieces of text.

        Raises UpstreamFailedError if the response is no JSON object, and the matching error if it holds an `error`.
        """
        try:
            response = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailedError("Gemini's answer is not valid JSON.") from error
        if not isinstance(response, dict):
            raise UpstreamFailedError("Gemini's answer is not a JSON object.")
        if "error" in response:
            raise _stream_error(data, response)
        self._answer = None
        self.usage = told_usage(response.get("usageMetadata")) or self.usage
        self._model = _text(response.get("modelVersion")) or self._model
        if block := _text(_object(response.get("promptFeedback")).get("blockReason")):
            self._block_reason = block.lower()
        candidates = _list(response.get("candidates"))
        return self._feed_candidate(_object(candidates[0])) if candidates else []

    def _feed_candidate(self, candidate: Json) -> list[Delta]:
        if reason := _text(candidate.get("finishReason")):
            self._finish_reason = reason.lower()
        self._finish_message = _text(candidate.get("finishMessage")) or self._finish_message
        deltas = []
        for part in map(_object, _list(_object(candidate.get("content")).get("parts"))):
            text = part.get("text")
            if isinstance(text, str) and text:
                deltas.append(Delta(text, is_thought=part.get("thought") is True))
        for delta in deltas:
            (self._thoughts if delta.is_thought else self._text).append(delta.text)
            self.text_chars += 0 if delta.is_thought else len(delta.text)
        return deltas

    def answer(self) -> Answer:
        """Return the accumulated answer. Raises UpstreamFailedError if a stream was cut."""
        if self._answer is None:
            self._answer = self._gathered()
        return self._answer

    def _gathered(self) -> Answer:
        reason = self._finish_reason
        if self._block_reason is not None and reason is None:
            reason = "blocked"
        usage = self.usage or read_usage({})
        # A whole response cannot be cut. A broken transfer of a stream has raised before; a stream that ended without
        # any usage was ended by something else than Gemini.
        if reason is None and self._is_stream and not usage.total_tokens:
            raise UpstreamFailedError("Gemini's stream was cut: it ended without a finish reason and without usage.")
        return Answer(
            text="".join(self._text),
            thoughts="".join(self._thoughts) or None,
            finish_reason=reason or UNSPECIFIED,
            finish_message=self._finish_message,
            block_reason=self._block_reason,
            model=self._model,
            usage=usage,
        )


def _stream_error(data: bytes, response: Json) -> GatewayError:
    code = _object(response.get("error")).get("code")
    return error_of(read_refusal(code if isinstance(code, int) else 500, data))
