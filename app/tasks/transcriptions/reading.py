r"""What is said in a recording: by whom, when, in segments that are good for subtitles.

    answer ── items ── whose clock? ── times mended, repeats dropped ──> heard ──> Transcription
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
from app.tasks.transcriptions.joining import Joint, behind, plain, word_count
from app.tasks.transcriptions.question import schema
from app.tasks.wording import one_line

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
    """A stretch of one person's speech: its number from 0, when it is said, by whom if that is known.

    `arrival` is its number from 0 in the order in which the model told the segments.
    """

    index: int
    start: float
    end: float
    speaker: str | None
    text: str
    words: tuple[Word, ...] = ()
    arrival: int = 0


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


@dataclass(frozen=True, slots=True)
class _Told:
    """An item of an answer that has text; `shift` is what its words' times still lack, in seconds."""

    item: Mapping[str, object]
    text: str
    plain: str
    start: float | None
    end: float | None
    shift: float = 0.0


@dataclass(slots=True)
class _Heard:
    """A segment while others may still follow; without an end of its own, `end` is a guess."""

    start: float
    end: float
    has_end: bool
    speaker: str | None
    text: str
    plain: str
    arrival: int = 0
    words: list[tuple[float | None, float | None, str]] = field(default_factory=list)


class Transcript:
    """Gathers what is said out of one or several answers.

    An answer's item may have any time, or none. A start that is missing is the end before it; an end that is missing,
    or not behind its start, is guessed from the length of the text, but not beyond the next start. Of an answer that
    goes on, what has been kept already is left out; if it counts its times anew, they are put behind what was kept.
    """

    def __init__(self, *, duration: float | None = None, start: float | None = None, end: float | None = None) -> None:
        """Take the file's duration and the limits of the passage, all in seconds from the start of the file."""
        self._first = start or 0.0
        self._last = min(MAX_TIME_S if end is None else end, MAX_TIME_S if duration is None else duration)
        # Behind a passage nothing is wanted; just behind the file's end is what is said at its end.
        is_cut_short = end is not None and (duration is None or end < duration)
        self._latest_start = self._last if is_cut_short else self._last + _OVERSHOOT_S
        self._heard: list[_Heard] = []
        self._language: str | None = None
        self._word_count = 0
        self._mended = 0
        self._shifted = 0
        self._outside = 0
        self._too_many = 0

    def take(self, text: str) -> Taken:
        """Add what is new. Raises UnreadableAnswerError when the answer holds no segments, not even an empty list."""
        read = read_json(text)
        items = listed(read, "segments", lambda item: "text" in item)
        if self._language is None and isinstance(read.value, dict):
            self._language = one_line(read.value.get("language"), _MAX_NAME_CHARS)
        texts = ((item, one_line(item.get("text"), MAX_TEXT_CHARS)) for item in items)
        told = [_told(item, words) for item, words in texts if words is not None]
        kept_before = len(self._heard)
        joint = Joint(self._heard) if self._heard else None
        if joint is not None:
            told = self._on_the_files_clock(told, joint)
        at = self._heard[-1].end if self._heard else self._first
        for one, next_start in zip(told, _next_starts(told), strict=True):
            heard = self._place(one, min(at, self._last if next_start is None else next_start))
            if heard is None:
                self._outside += 1
                continue
            if joint is not None:
                has_new = len(self._heard) > kept_before
                heard = _new_of(heard, joint, is_timed=one.start is not None, has_new=has_new)
            if heard is not None:
                at = heard.end
                self._keep(heard, one)
        return Taken(read.is_whole, has_new=len(self._heard) > kept_before)

    def _on_the_files_clock(self, told: list[_Told], joint: Joint) -> list[_Told]:
        timed = [_stretch(one, one.start) for one in told if one.start is not None]
        shift = joint.shift(timed, self._first, self._latest_start)
        if not shift:
            return told
        self._shifted += 1
        return [
            replace(one, start=_shifted(one.start, shift), end=_shifted(one.end, shift), shift=shift) for one in told
        ]

    def _place(self, told: _Told, otherwise: float) -> _Heard | None:
        """Give a segment its times within the limits; None when it lies outside of them."""
        heard = _stretch(told, otherwise if told.start is None else told.start)
        if told.start is not None and (heard.start >= self._latest_start or heard.end <= self._first):
            return None
        return replace(heard, start=self._within(heard.start), end=self._within(heard.end))

    def _within(self, seconds: float) -> float:
        return max(self._first, min(seconds, self._last))

    def _keep(self, heard: _Heard, told: _Told) -> None:
        if len(self._heard) == MAX_SEGMENTS:
            self._too_many += 1
            return
        heard.arrival = len(self._heard)
        known_words = word_count(told.plain) - word_count(heard.plain)
        given = told.item.get("words")
        for one in given if isinstance(given, list) else ():
            word = one_line(one.get("word"), MAX_TEXT_CHARS) if isinstance(one, dict) else None
            if word is None or self._word_count == MAX_WORDS:
                continue
            if known_words > 0:
                known_words -= word_count(plain(word))
                continue
            start, end = read_time(one.get("start")), read_time(one.get("end"))
            heard.words.append((_shifted(start, told.shift), _shifted(end, told.shift), word))
            self._word_count += 1
        self._heard.append(heard)
        self._mended += told.start is None or not heard.has_end

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
            schema(with_words=self._word_count > 0),
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
        if self._shifted:
            detail = f"Answers that counted their times anew, which were put behind what was kept: {self._shifted}."
            yield TaskWarning("times-shifted", None, detail)
        if self._outside:
            limits = f"{clock(self._first)} to {clock(self._last)}"
            detail = f"Segments left out because their times lie outside {limits}: {self._outside}."
            yield TaskWarning("segments-outside", None, detail)
        if self._too_many:
            detail = f"Segments left out because at most {MAX_SEGMENTS} are kept: {self._too_many}."
            yield TaskWarning("too-many-segments", None, detail)


def _told(item: Mapping[str, object], text: str) -> _Told:
    return _Told(item, text, plain(text), read_time(item.get("start")), read_time(item.get("end")))


def _shifted(time: float | None, seconds: float) -> float | None:
    return None if time is None else round(time + seconds, 3)


def _next_starts(told: list[_Told]) -> list[float | None]:
    """Give for each item the first start that is told behind it."""
    found: list[float | None] = []
    following: float | None = None
    for one in reversed(told):
        found.append(following)
        following = following if one.start is None else one.start
    return found[::-1]


def _stretch(told: _Told, start: float) -> _Heard:
    """Give a segment its end, from a start that may be a guess."""
    end = told.end
    has_end = end is not None and end > start
    if end is None or not has_end:
        end = start + max(_SHORTEST_GUESS_S, round(len(told.text) / _CHARS_PER_S, 3))
    speaker = one_line(told.item.get("speaker"), _MAX_NAME_CHARS)
    return _Heard(start, end, has_end, speaker, told.text, told.plain)


def _new_of(heard: _Heard, joint: Joint, *, is_timed: bool, has_new: bool) -> _Heard | None:
    """Give a segment of a later answer without the words that were kept before; None when these are all.

    One without a time of its own is held to be said again only before there is anything new.
    """
    if not is_timed:
        return None if not has_new and joint.has_said(heard.plain) else heard
    known = joint.known(heard)
    if known.words == word_count(heard.plain):
        return None
    if not known.words:
        return heard
    text = behind(heard.text, known.words)
    return replace(heard, start=min(max(heard.start, known.until), heard.end), text=text, plain=plain(text))


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
    return Segment(index, heard.start, end, heard.speaker, heard.text, tuple(_words(heard, end)), heard.arrival)


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
