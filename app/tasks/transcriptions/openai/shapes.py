"""Transcripts in OpenAI's shapes: pure functions from what a task found to what OpenAI's clients read.

Numbers that only Whisper itself could know (log probabilities, tokens, the probability of silence) are there because
clients expect the members: zero, and no tokens.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from app.api.schemas import TokenUsage
from app.tasks.transcriptions import subtitles
from app.tasks.transcriptions.openai.languages import name_of
from app.tasks.transcriptions.reading import Segment, Transcription

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A transcript and what goes with it; `duration` in seconds, of the whole file where it is known."""

    found: Transcription
    usage: TokenUsage
    duration: float | None
    is_translation: bool
    temperature: float
    granularities: frozenset[str]
    known_speakers: frozenset[str]

    @property
    def seconds(self) -> float:
        """The duration, or where the last segment ends."""
        if self.duration is not None:
            return self.duration
        return self.found.segments[-1].end if self.found.segments else 0.0


def as_json(spoken: Spoken) -> Json:
    """Give `json`: the text, the languages, the tokens."""
    told: Json = {"text": spoken.found.text}
    if not spoken.is_translation:
        told["languages"] = _languages(spoken.found)
        told["usage"] = token_usage(spoken.usage)
    return told


def verbose(spoken: Spoken) -> Json:
    """Give `verbose_json`: with the segments, the words, or both."""
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
    """Give `diarized_json`: who said what, when."""
    return {
        "task": "transcribe",
        "duration": spoken.seconds,
        "text": spoken.found.text,
        "segments": diarized_segments(spoken.found.segments, spoken.known_speakers),
        "usage": token_usage(spoken.usage),
    }


def diarized_segments(segments: Sequence[Segment], known_speakers: frozenset[str]) -> list[Json]:
    """Give segments with their speakers, in the order in which they begin."""
    diarization = Diarization(known_speakers)
    return [diarization.segment(one) for one in segments]


class Diarization:
    """Writes down who said what, segment by segment; each is also an event of a stream.

    Segments are numbered, and speakers called A, B and so on, in the order in which they are written down; only those
    whom the client named keep their names.
    """

    def __init__(self, known_speakers: frozenset[str]) -> None:
        self._known_speakers = known_speakers
        self._names: dict[str, str] = {}
        self._unnamed = 0
        self._count = 0

    def segment(self, one: Segment) -> Json:
        """Write down the next segment."""
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
    """Give the last event of a stream; `complete` is there, and false, only when the answer was cut."""
    told: Json = {
        "type": "transcript.text.done",
        "text": spoken.found.text,
        "languages": _languages(spoken.found),
        "usage": token_usage(spoken.usage),
    }
    return told if is_complete else {**told, "complete": False}


def as_text(spoken: Spoken, response_format: str) -> str:
    """Give `text`, `srt` or `vtt`."""
    match response_format:
        case "srt":
            return subtitles.srt(spoken.found.segments)
        case "vtt":
            return subtitles.vtt(spoken.found.segments)
        case _:
            return f"{spoken.found.text}\n"


def token_usage(usage: TokenUsage) -> Json:
    """Give the tokens as OpenAI counts them: thinking is output."""
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


def _languages(found: Transcription) -> list[Json]:
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
    # As Whisper measures it: text that repeats itself compresses well.
    data = text.encode()
    return len(data) / len(zlib.compress(data))
