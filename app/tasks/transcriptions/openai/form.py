"""The forms of OpenAI's audio operations, field by field as OpenAI has them, and the questions that they become.

Fields without use for Gemini are read and ignored; a field that asks for the impossible is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.fields import Boolean, FileSize, ModelName, OfFile, Sha256
from app.api.forms import FormField, FormSpec
from app.errors import FieldError, InvalidFieldError
from app.tasks.task import Question
from app.tasks.task_form import TaskSpec
from app.tasks.transcriptions import question as transcription_question
from app.tasks.transcriptions.endpoint import SOUND

# OpenAI's model names; they select the gateway's default model.
SPEECH_MODELS = re.compile(r"(?:whisper-.*|gpt-(?:.*-)?transcribe(?:-.*)?)")

Language = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
Keyword = Annotated[str, Field(max_length=200)]
SamplingTemperature = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SpeechForm(BaseModel):
    """The fields of both operations."""

    model_config = ConfigDict(extra="forbid")

    file: bytes | None = None
    model: ModelName | None = None
    prompt: str | None = None
    temperature: SamplingTemperature | None = None
    file_size: Annotated[list[FileSize], OfFile()] = []
    sha256: Annotated[list[Sha256], OfFile()] = []


class TranslationForm(SpeechForm):
    """Sound to translate into English."""

    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] | None = None


class OpenAiTranscriptionForm(SpeechForm):
    """Sound to transcribe."""

    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] | None = None
    language: Language | None = None
    languages: list[Language] = []
    keywords: list[Keyword] = []
    known_speaker_names: list[Keyword] = []
    timestamp_granularities: list[Literal["word", "segment"]] = []
    stream: Boolean | None = None
    chunking_strategy: list[Annotated[str, Field(max_length=1_000)]] = []
    include: list[Annotated[str, Field(max_length=60)]] = []
    known_speaker_references: list[str] = []


class _SpeechSpec(FormSpec[OpenAiTranscriptionForm]):
    """The fields as OpenAI's clients name them: each member of an object is a field."""

    def find(self, name: str, *, is_file: bool = False) -> FormField:
        """Return a field by its name; raises InvalidFieldError with the nearest known name."""
        return super().find("chunking_strategy" if name.startswith("chunking_strategy[") else name, is_file=is_file)


def resolve_model(form: SpeechForm) -> str | None:
    """Return the requested model, or None for the default."""
    name = form.model
    return None if name is None or SPEECH_MODELS.fullmatch(name) else name


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """The requested form of the answer; `granularities` are segment and word."""

    response_format: str
    is_streamed: bool
    temperature: float
    known_speakers: frozenset[str]
    granularities: frozenset[str]


def speech_options(form: OpenAiTranscriptionForm | TranslationForm) -> SpeechOptions:
    """Return the options of a form, with OpenAI's defaults."""
    options = SpeechOptions(
        form.response_format or "json", False, form.temperature or 0.0, frozenset(), frozenset({"segment"})
    )
    if isinstance(form, TranslationForm):
        return options
    return replace(
        options,
        is_streamed=bool(form.stream),
        known_speakers=frozenset(form.known_speaker_names),
        granularities=frozenset(form.timestamp_granularities or ("segment",)),
    )


def _check(form: OpenAiTranscriptionForm) -> None:
    if form.include:
        raise _refused("include", "is not supported: Gemini gives no log probabilities here", "logprobs")
    if form.known_speaker_references:
        raise _refused("known_speaker_references", "is not supported; name the speakers in known_speaker_names", None)
    wanted = form.timestamp_granularities
    if wanted and form.response_format != "verbose_json":
        raise _refused("timestamp_granularities", "needs response_format=verbose_json", ", ".join(wanted))


def _transcription_question(form: OpenAiTranscriptionForm) -> Question:
    question = transcription_question.question(
        language=form.language,
        translate_to=None,
        start=None,
        end=None,
        prompt=_hints(form),
        with_words="word" in speech_options(form).granularities,
    )
    return replace(question, temperature=form.temperature)


def _translation_question(form: TranslationForm) -> Question:
    question = transcription_question.question(
        language=None, translate_to="English", start=None, end=None, prompt=_hints(form), with_words=False
    )
    return replace(question, temperature=form.temperature)


def _hints(form: SpeechForm) -> str | None:
    # OpenAI's prompt is not an instruction: it is preceding text, or an example of names and style.
    hints = [_hint("Context, for names and style; it is not part of the recording", [form.prompt or ""])]
    if isinstance(form, OpenAiTranscriptionForm):
        hints += [
            _hint("Languages that may be spoken", form.languages),
            _hint("Words that may occur", form.keywords),
            _hint("Names of the speakers", form.known_speaker_names),
        ]
    return "\n".join(hint for hint in hints if hint) or None


def _hint(title: str, values: Sequence[str]) -> str:
    told = ", ".join(value for value in values if value)
    return f"{title}: {told}" if told else ""


def _refused(field: str, message: str, received: str | None) -> InvalidFieldError:
    return InvalidFieldError(f"{field}: {message}.", errors=(FieldError(field, message, received=received),))


TRANSCRIPTION = TaskSpec(
    _SpeechSpec(OpenAiTranscriptionForm), SOUND, _transcription_question, model=resolve_model, check=_check
)
TRANSLATION = TaskSpec(FormSpec(TranslationForm), SOUND, _translation_question, model=resolve_model)
