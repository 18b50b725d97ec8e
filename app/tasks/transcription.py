r"""What is said in a recording: by whom, when, in segments that are good for subtitles.

    answer ── items ── times mended, repeats dropped ──> heard ──> Transcription
                 └─ ... cut: said(), go_on() ──> the next answer

A model's words are trusted, its times are not: where there is text, a bad time is mended, and only what clearly lies
outside the recording or the passage asked for is left out, with a warning. Times are seconds from the start of the
whole file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.task import Question, Taken, TaskWarning
from app.tasks.times import MAX_TIME_S, clock, read_time
from app.tasks.wording import one_line, paragraphs, wish

MAX_SEGMENTS = 10_000
MAX_WORDS = 200_000
MAX_TEXT_CHARS = 1_000_000
MAX_SAID_SEGMENTS = 20
MAX_SAID_BYTES = 16_384

_MAX_NAME_CHARS = 100
# Of one that alone is too long; even at four bytes a character it fits into MAX_SAID_BYTES.
_MAX_SAID_CHARS = 3_500
# Recordings last a little longer than their headers say, and models are not exact at the end.
_OVERSHOOT_S = 1.0
# Times are told in tenths; two that differ by less are the same.
_SAME_TIME_S = 0.2
_CHARS_PER_S = 15
_SHORTEST_GUESS_S = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it is said, within its segment."""

    start: float
    end: float
    word: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one person's speech: its number from 0, when it is said, by whom if that is known."""

    index: int
    start: float
    end: float
    speaker: str | None
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcription:
    """All that is said.

    Segments come in the order of their starts, each with start <= end, inside the recording or passage. They may
    overlap, as people do. `text` is theirs, joined by blanks; `language` is what the model says, mostly ISO 639-1.
    """

    language: str | None
    text: str
    segments: tuple[Segment, ...]
    warnings: tuple[TaskWarning, ...]


def question(
    *,
    language: str | None = None,
    translate_to: str | None = None,
    start: float | None = None,
    end: float | None = None,
    prompt: str | None = None,
    with_words: bool = False,
) -> Question:
    """Ask what is said.

    `language` is the spoken one, `start` and `end` limit the passage (seconds from the start of the file), `prompt` is
    what else to mind, such as names and how they are spelled.
    """
    lines = [
        "Transcribe the speech in this recording, from its beginning to its end.",
        f"The language spoken is: {language}." if language else None,
        _passage(start, end),
        "Write down verbatim what is said, in the language in which it is said."
        if translate_to is None
        else f"Translate all that is said into this language, and write only the translation: {translate_to}.",
        "Leave out silence, instrumental music and noise. Never invent speech: if nothing is said, give no segments.",
        "Segments are in order of time, each of one speaker and at most about 12 seconds long; they begin and end "
        "at natural pauses, such as the ends of sentences.",
        "start and end are written MM:SS.s (from an hour on H:MM:SS.s), with tenths of seconds, and always count from "
        "the start of the whole file.",
        'speaker is the name, if it is said in the recording, else "Speaker 1", "Speaker 2" and so on, always the '
        "same for the same voice.",
        "language is the ISO 639-1 code of the language that is mostly spoken.",
        "words lists each word of the segment's text in order, with its own start and end." if with_words else None,
        wish(prompt),
    ]
    return Question(paragraphs(lines), _schema(with_words=with_words))


def _passage(start: float | None, end: float | None) -> str | None:
    if start is None and end is None:
        return None
    until = clock(end) if end is not None else "the end"
    return f"Only from {clock(start or 0)} to {until}; leave out what is said before and after."


def _schema(*, with_words: bool) -> dict[str, object]:
    text = {"type": "string"}
    time = {"type": "string", "description": "MM:SS.s"}
    timed: dict[str, object] = {"start": time, "end": time}
    properties: dict[str, object] = {**timed, "speaker": {"type": ["string", "null"]}, "text": text}
    required = ["start", "end", "text"]
    if with_words:
        word = {"type": "object", "properties": {**timed, "word": text}, "required": ["start", "end", "word"]}
        properties["words"] = {"type": "array", "items": word}
    segment = {"type": "object", "properties": properties, "required": required}
    return {
        "type": "object",
        "properties": {"language": text, "segments": {"type": "array", "items": segment}},
        "required": ["language", "segments"],
    }


@dataclass(slots=True)
class _Heard:
    """A segment while others may still follow; without an end of its own, `end` is a guess."""

    start: float
    end: float
    has_end: bool
    speaker: str | None
    text: str
    words: list[tuple[float | None, float | None, str]] = field(default_factory=list)


class Transcript:
    """Gathers what is said out of one or several answers.

    An answer's item may have any time, or none. A start that is missing is the end before it; an end that is missing,
    or not behind its start, is guessed from the length of the text, but not beyond the next start. Of an answer that
    goes on, what has been kept already is left out.
    """

    def __init__(self, *, duration: float | None = None, start: float | None = None, end: float | None = None) -> None:
        """Take the file's duration and the limits of the passage, all in seconds from the start of the file."""
        self._first = start or 0.0
        self._last = min(MAX_TIME_S if end is None else end, MAX_TIME_S if duration is None else duration)
        # Behind a passage nothing is wanted; just behind the file's end is what is said at its end.
        is_cut_short = end is not None and (duration is None or end < duration)
        self._latest_start = self._last if is_cut_short else self._last + _OVERSHOOT_S
        self._heard: list[_Heard] = []
        self._last_start_of: dict[str, float] = {}
        self._language: str | None = None
        self._word_count = 0
        self._mended = 0
        self._outside = 0
        self._too_many = 0

    def take(self, text: str) -> Taken:
        """Add what is new. Raises UnreadableAnswerError when the answer holds no segments, not even an empty list."""
        read = read_json(text)
        items = listed(read, "segments", lambda item: "text" in item)
        if self._language is None and isinstance(read.value, dict):
            self._language = one_line(read.value.get("language"), _MAX_NAME_CHARS)
        kept_before = len(self._heard)
        before = self._heard[-1] if self._heard else None
        repeatable_until = before.end - _SAME_TIME_S if before is not None else None
        at = before.end if before is not None else self._first
        for item, next_start in zip(items, _next_starts(items), strict=True):
            words = one_line(item.get("text"), MAX_TEXT_CHARS)
            if words is None:
                continue
            told = read_time(item.get("start"))
            heard = self._place(item, words, told, min(at, self._last if next_start is None else next_start))
            if heard is None:
                self._outside += 1
                continue
            if repeatable_until is not None and self._is_repeated(heard, told, repeatable_until):
                continue
            at = heard.end
            self._keep(heard, item, is_mended=told is None or not heard.has_end)
        return Taken(read.is_whole, has_new=len(self._heard) > kept_before)

    def _place(self, item: Mapping[str, object], text: str, told: float | None, otherwise: float) -> _Heard | None:
        """Give a segment its times within the limits; None when it lies outside of them."""
        start = otherwise if told is None else told
        end = read_time(item.get("end"))
        has_end = end is not None and end > start
        if end is None or not has_end:
            end = start + max(_SHORTEST_GUESS_S, round(len(text) / _CHARS_PER_S, 3))
        if told is not None and (told >= self._latest_start or end <= self._first):
            return None
        return _Heard(
            start=self._within(start),
            end=self._within(end),
            has_end=has_end,
            speaker=one_line(item.get("speaker"), _MAX_NAME_CHARS),
            text=text,
        )

    def _within(self, seconds: float) -> float:
        return max(self._first, min(seconds, self._last))

    def _is_repeated(self, heard: _Heard, told: float | None, until: float) -> bool:
        """Whether a later answer says again what was kept: the same text, and not at a later time."""
        last_start = self._last_start_of.get(_letters(heard.text))
        if last_start is None:
            return False
        return told is None or heard.start < until or heard.start <= last_start + _SAME_TIME_S

    def _keep(self, heard: _Heard, item: Mapping[str, object], *, is_mended: bool) -> None:
        if len(self._heard) == MAX_SEGMENTS:
            self._too_many += 1
            return
        given = item.get("words")
        for one in given if isinstance(given, list) else ():
            word = one_line(one.get("word"), MAX_TEXT_CHARS) if isinstance(one, dict) else None
            if word is not None and self._word_count < MAX_WORDS:
                heard.words.append((read_time(one.get("start")), read_time(one.get("end")), word))
                self._word_count += 1
        self._heard.append(heard)
        letters = _letters(heard.text)
        self._last_start_of[letters] = max(heard.start, self._last_start_of.get(letters, 0.0))
        self._mended += is_mended

    def said(self) -> str:
        """Give the last segments as JSON of the question's schema, at most 20 and 16 KB; "" when none was kept."""
        if not self._heard:
            return ""
        told: list[dict[str, object]] = []
        size = len(as_json({"language": self._language or "", "segments": []}).encode())
        for heard in reversed(self._heard[-MAX_SAID_SEGMENTS:]):
            one = _as_told(heard)
            size += len(as_json(one).encode()) + 1
            if size > MAX_SAID_BYTES:
                break
            told.append(one)
        if not told:
            last = self._heard[-1]
            told = [_as_told(replace(last, text=last.text[-_MAX_SAID_CHARS:], words=[]))]
        return as_json({"language": self._language or "", "segments": told[::-1]})

    def go_on(self) -> Question:
        """Ask for what follows the last segment that was kept."""
        behind = clock(self._heard[-1].end if self._heard else self._first)
        return Question(
            f"Your answer was cut off; its last segments are above. Go on behind {behind} with what is said next, by "
            "the same rules and in the same form, times still counted from the start of the whole file. Do not repeat "
            "any segment; if nothing more is said, give no segments.",
            _schema(with_words=self._word_count > 0),
        )

    def result(self) -> Transcription:
        """Give what was gathered so far."""
        heard = sorted(self._heard, key=lambda one: one.start)
        next_starts = [*(one.start for one in heard), self._last][1:]
        segments = tuple(
            _finished(index, one, following)
            for index, (one, following) in enumerate(zip(heard, next_starts, strict=True))
        )
        return Transcription(
            language=self._language,
            text=" ".join(one.text for one in segments),
            segments=segments,
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> Iterator[TaskWarning]:
        if self._mended:
            detail = f"Segments without a usable start or end, whose times are estimated: {self._mended}."
            yield TaskWarning("times-estimated", None, detail)
        if self._outside:
            limits = f"{clock(self._first)} to {clock(self._last)}"
            detail = f"Segments left out because their times lie outside {limits}: {self._outside}."
            yield TaskWarning("segments-outside", None, detail)
        if self._too_many:
            detail = f"Segments left out because at most {MAX_SEGMENTS} are kept: {self._too_many}."
            yield TaskWarning("too-many-segments", None, detail)


def _next_starts(items: list[dict[str, object]]) -> list[float | None]:
    """Give for each item the first start that is told behind it."""
    found: list[float | None] = []
    following: float | None = None
    for item in reversed(items):
        found.append(following)
        told = read_time(item.get("start"))
        following = following if told is None else told
    return found[::-1]


def _letters(text: str) -> str:
    """Give what makes two texts the same: a model that repeats itself may set other commas."""
    return "".join(filter(str.isalnum, text.casefold())) or text


def _as_told(heard: _Heard) -> dict[str, object]:
    told: dict[str, object] = {
        "start": clock(heard.start),
        "end": clock(heard.end),
        "speaker": heard.speaker,
        "text": heard.text,
    }
    if heard.words:
        told["words"] = [
            {"start": clock(one.start), "end": clock(one.end), "word": one.word} for one in _words(heard, heard.end)
        ]
    return told


def _finished(index: int, heard: _Heard, next_start: float) -> Segment:
    end = heard.end
    if not heard.has_end and next_start > heard.start:
        end = min(end, next_start)
    return Segment(index, heard.start, end, heard.speaker, heard.text, tuple(_words(heard, end)))


def _words(heard: _Heard, segment_end: float) -> Iterator[Word]:
    """Place words in their order within their segment; if a time is missing, they share it by their lengths."""
    has_all_times = all(start is not None and end is not None for start, end, _ in heard.words)
    per_char = (segment_end - heard.start) / max(1, sum(len(word) for _, _, word in heard.words))
    at = heard.start
    for told_start, told_end, word in heard.words:
        if told_start is None or told_end is None or not has_all_times:
            start, end = at, at + len(word) * per_char
        else:
            start, end = told_start, told_end
        start = min(max(at, round(start, 3)), segment_end)
        at = min(max(start, round(end, 3)), segment_end)
        yield Word(start, at, word)
