"""The generation config: the options of an answer, and Gemini's refusals of invalid options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gemini_emulator.catalogue import Model
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.kinds import snake_case

_JSON = "application/json"
_ENUM = "text/x.enum"
_MAX_STOPS = 5
_MAX_CANDIDATES = 8
_RANGES = {
    "temperature": (0.0, 2.0),
    "topP": (0.0, 1.0),
    "presencePenalty": (-2.0, 2.0),
    "frequencyPenalty": (-2.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class Transcription:
    """How a transcribing model writes: with speakers, with the times of words; `language` is BCP-47."""

    has_speakers: bool
    has_words: bool
    language: str


@dataclass(frozen=True, slots=True)
class Options:
    """The options that an answer must honour.

    `max_tokens` is at least 1 and at most the model's; `modalities` are the requested ones, in capitals; `makes` is the
    modality that the model gives beside text, or ""; `transcription` is set for models that transcribe; `schema` is in
    the given dialect; `media_resolution` is "" when unset, and counts for every part without a resolution of its own.
    """

    max_tokens: int
    modalities: frozenset[str]
    transcription: Transcription | None
    makes: str
    stop_sequences: tuple[str, ...]
    mime_type: str
    schema: Mapping[str, object] | None
    dialect: Literal["json_schema", "openapi"]
    includes_thoughts: bool
    candidates: int
    media_resolution: str


def read_options(config: Fields, model: Model) -> Options:
    """Read a generation config. Raises ApiFailureError for options that Gemini refuses."""
    _check_sampling(config, model)
    thinking = config.fields("thinkingConfig")
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    mime_type = config.text("responseMimeType") or "text/plain"
    if mime_type not in {"text/plain", _JSON, _ENUM}:
        raise invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, "
            "`application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n"
        )
    limit = config.integer("maxOutputTokens")
    if limit is not None and limit < 1:
        raise invalid("max_output_tokens must be positive.")
    schema, dialect = _schema_of(config, mime_type)
    return Options(
        max_tokens=min(limit or model.output_limit, model.input_limit if model.decodes_long else model.output_limit),
        modalities=frozenset(config.texts("responseModalities")),
        transcription=_transcription_of(config.fields("audioTranscriptionConfig")) if model.transcribes else None,
        makes=model.makes,
        stop_sequences=tuple(config.texts("stopSequences")),
        mime_type=mime_type,
        schema=schema,
        dialect=dialect,
        candidates=config.integer("candidateCount") or 1,
        includes_thoughts=thinking.flag("includeThoughts"),
        media_resolution=config.text("mediaResolution"),
    )


def _check_sampling(config: Fields, model: Model) -> None:
    for name, (low, high) in _RANGES.items():
        value = config.number(name)
        if value is not None and not low <= value <= high:
            raise invalid(
                f"* GenerateContentRequest.generation_config.{name}: must be in the range [{low:g}, {high:g}].\n"
            )
    if not model.takes_penalties and ("presencePenalty" in config or "frequencyPenalty" in config):
        raise invalid(f"Penalty is not enabled for models/{model.name}")
    candidates = config.integer("candidateCount")
    if candidates is not None and not 1 <= candidates <= _MAX_CANDIDATES:
        raise invalid(f"* GenerateContentRequest.generation_config.candidate_count: must be 1 to {_MAX_CANDIDATES}.\n")
    if candidates not in {None, 1} and not model.takes_penalties:
        raise invalid("Multiple candidates is not enabled for this model")
    if "logprobs" in config and not config.flag("responseLogprobs"):
        raise invalid("logprobs may only be set if response_logprobs is true.")
    voices = {snake_case(name) for name in config.mapping("speechConfig") or {}}
    if voices >= {"voice_config", "multi_speaker_voice_config"}:
        raise invalid("speech_config: only one of voice_config and multi_speaker_voice_config may be set.")
    stops = config.texts("stopSequences")
    if len(stops) > _MAX_STOPS or "" in stops:
        raise invalid(
            "* GenerateContentRequest.generation_config.stop_sequences: at most 5 sequences are allowed, none empty.\n"
        )


def _transcription_of(config: Fields) -> Transcription:
    has_speakers, has_words = config.flag("diarization"), config.flag("wordTimestamp")
    if config.text("mode") == "SMART" and (has_speakers or has_words):
        raise invalid("audio_transcription_config: mode SMART gives neither speakers nor times of words.")
    return Transcription(has_speakers, has_words, next(iter(config.texts("languageCodes")), "und"))


def _schema_of(config: Fields, mime_type: str) -> tuple[Mapping[str, object] | None, Literal["json_schema", "openapi"]]:
    has_openapi, has_json_schema = "responseSchema" in config, "responseJsonSchema" in config
    if has_openapi and has_json_schema:
        raise invalid("Only one of response_schema and response_json_schema may be set.")
    if not has_openapi and not has_json_schema:
        return None, "json_schema"
    if mime_type != _JSON and not (has_openapi and mime_type == _ENUM):
        raise invalid(
            f"* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is "
            f"`{_JSON}`, it is `{mime_type}`.\n"
        )
    schema = config.mapping("responseSchema" if has_openapi else "responseJsonSchema")
    if schema is None:
        raise ApiFailureError(
            400, "* GenerateContentRequest.generation_config.response_json_schema: must be an object.\n"
        )
    return schema, "openapi" if has_openapi else "json_schema"
