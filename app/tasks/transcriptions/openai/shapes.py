"""Transcripts in OpenAI's shapes: pure functions from a task's result to the JSON that OpenAI's clients read.

Numbers that only Whisper knows (log probabilities, tokens, the probability of silence) are zero or empty, because
clients expect the members.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from app.api.schemas import TokenUsage
from app.tasks.transcriptions import subtitles
from app.tasks.transcriptions.openai.languages import name_of
from app.tasks.transcriptions.reading import Segment, TranscriptReading

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A transcript with its context; `duration` is that of the whole file in seconds, None if unknown."""

    found: TranscriptReading
    usage: TokenUsage
    duration: float | None
    is_translation: bool
    temperature: float
    granularities: frozenset[str]
    known_speakers: frozenset[str]

    @property
    def seconds(self) -> float:
        """Return the duration, or the end of the last segment if unknown."""
        if self.duration is not None:
            return self.duration
        return self.found.segments[-1].end if self.found.segments else 0.0


def as_json(spoken: Spoken) -> Json:
    """Return the format `json`: text, languages, tokens."""
    told: Json = {"text": spoken.found.text}
    if not spoken.is_translation:
        told["languages"] = _languages(spoken.found)
        told["usage"] = token_usage(spoken.usage)
    return told


def verbose(spoken: Spoken) -> Json:
    """Return the format `verbose_json`: with segments, words, or both."""
    told: Json = {
        "task": "translate" if spoken.is_translation else "transcribe",
        "language": "english" if spoken.is_translation else name_of(spoken.found.language),
        "duration": spoken.seconds,
        "text": spoken.found.text,
    }
    if "segment" in spoken.granularities:
        told["segments"] = [_segment(one, spoken.temperature) for one in spoken.found.segments]
    if "word" in spoken.granularities:
        words = (word for segment in spoken.found.segments for word in segment.words)
        told["words"] = [{"word": word.word, "start": word.start, "end": word.end} for word in words]
    if not spoken.is_translation:
        told["usage"] = {"type": "duration", "seconds": math.ceil(spoken.seconds)}
    return told


def diarized(spoken: Spoken) -> Json:
    """Return the format `diarized_json`: segments with speakers and times."""
    return {
        "task": "transcribe",
        "duration": spoken.seconds,
        "text": spoken.found.text,
        "segments": diarized_segments(spoken.found.segments, spoken.known_speakers),
        "usage": token_usage(spoken.usage),
    }


def diarized_segments(segments: Sequence[Segment], known_speakers: frozenset[str]) -> list[Json]:
    """Return segments with their speakers, in the order of their starts."""
    diarization = Diarization(known_speakers)
    return [diarization.segment(one) for one in segments]


class Diarization:
    """Writes segments with their speakers; each is also an event of a stream.

    Segments are numbered, and speakers are named A, B and so on, in the order of writing; only speakers that the client
    named keep their names.
    """

    def __init__(self, known_speakers: frozenset[str]) -> None:
        self._known_speakers = known_speakers
        self._names: dict[str, str] = {}
        self._unnamed = 0
        self._count = 0

    def segment(self, one: Segment) -> Json:
        """Return the next segment."""
        number = self._count
        self._count += 1
        return {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": one.start,
            "end": one.end,
            "speaker": self._name(one.speaker or ""),
            "text": one.text,
        }

    def _name(self, speaker: str) -> str:
        if speaker in self._known_speakers:
            return speaker
        if speaker not in self._names:
            self._names[speaker] = _letters(self._unnamed)
            self._unnamed += 1
        return self._names[speaker]


def _letters(number: int) -> str:
    before, letter = divmod(number, len(ascii_uppercase))
    return (_letters(before - 1) if before else "") + ascii_uppercase[letter]


def text_done(spoken: Spoken, *, is_complete: bool) -> Json:
    """Return the last event of a stream; `complete` is present, and false, only if the answer was cut."""
    told: Json = {
        "type": "transcript.text.done",
        "text": spoken.found.text,
        "languages": _languages(spoken.found),
        "usage": token_usage(spoken.usage),
    }
    return told if is_complete else {**told, "complete": False}


def as_text(spoken: Spoken, response_format: str) -> str:
    """Return the format `text`, `srt` or `vtt`."""
    match response_format:
        case "srt":
            return subtitles.srt(spoken.found.segments)
        case "vtt":
            return subtitles.vtt(spoken.found.segments)
        case _:
            return f"{spoken.found.text}\n"


def token_usage(usage: TokenUsage) -> Json:
    """Return the tokens as OpenAI counts them: thinking is output."""
    return {
        "type": "tokens",
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens + usage.thinking_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens + usage.thinking_tokens,
        "input_token_details": {
            "audio_tokens": usage.input_by_modality.audio,
            "text_tokens": usage.input_by_modality.text,
        },
    }


def _languages(found: TranscriptReading) -> list[Json]:
    return [] if found.language is None else [{"code": found.language}]


def _segment(segment: Segment, temperature: float) -> Json:
    return {
        "id": segment.index,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": temperature,
        "avg_logprob": 0.0,
        "compression_ratio": _compression_ratio(segment.text),
        "no_speech_prob": 0.0,
    }


def _compression_ratio(text: str) -> float:
    # Whisper's measure: repetitive text compresses well.
    data = text.encode()
    return len(data) / len(zlib.compress(data))
