r"""The speech in a recording, read from the model's answers: segments with speaker and times, suited to subtitles.

    answer ── items ── which clock? ── times corrected, repeats dropped ──> drafts ──> TranscriptReading
                 └─ cut: last_items(), continuation() ──> the next answer

The model's text is trusted, its times are not: a bad time is corrected, and only segments that clearly lie outside the
recording or the requested passage are left out, with a warning. Times are seconds from the start of the whole file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.task import Progress, Question, TaskWarning
from app.tasks.times import MAX_TIME_S, clock, read_time
from app.tasks.transcriptions.joining import Overlap, after_words, plain, word_count
from app.tasks.transcriptions.question import schema
from app.tasks.wording import one_line

MAX_SEGMENTS = 10_000
MAX_WORDS = 200_000
MAX_TEXT_CHARS = 1_000_000
MAX_SHOWN_SEGMENTS = 20
MAX_SHOWN_BYTES = 16_384

_MAX_NAME_CHARS = 100
# Characters of a last segment that is too long; even at four bytes a character they fit into MAX_SHOWN_BYTES.
_MAX_SHOWN_CHARS = 3_500
# Recordings last a little longer than their headers say, and models are inexact at the end.
_OVERSHOOT_S = 1.0
_CHARS_PER_S = 15
_SHORTEST_GUESS_S = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its times, within its segment."""

    start: float
    end: float
    word: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one person's speech: its number from 0, its times, and the speaker if known.

    `arrival` is its number from 0 in the order of the model's answer.
    """

    index: int
    start: float
    end: float
    speaker: str | None
    text: str
    words: tuple[Word, ...] = ()
    arrival: int = 0


@dataclass(frozen=True, slots=True)
class TranscriptReading:
    """The speech of a recording or passage.

    Segments are in the order of their starts, each with start <= end, within the recording or passage. Segments may
    overlap, since people talk at the same time. `text` is the segments' text, joined by spaces. `language` is the
    model's word, usually an ISO 639-1 code.
    """

    language: str | None
    text: str
    segments: tuple[Segment, ...]
    warnings: tuple[TaskWarning, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of an answer with its text; `shift` is still to be added to its words' times, in seconds."""

    raw: Mapping[str, object]
    text: str
    plain: str
    start: float | None
    end: float | None
    shift: float = 0.0


@dataclass(slots=True)
class _Draft:
    """A segment while others may still follow; without an end in the answer, `end` is a guess."""

    start: float
    end: float
    has_end: bool
    speaker: str | None
    text: str
    plain: str
    arrival: int = 0
    words: list[tuple[float | None, float | None, str]] = field(default_factory=list)


class Transcript:
    """Collects segments from one or several answers.

    An item may have any time, or none. A missing start becomes the end of the segment before. A missing end, or an end
    not after its start, is guessed from the length of the text, but not beyond the next start. A continuation loses the
    speech that was kept already; if its times begin again from 0, they are moved after the kept segments.
    """

    def __init__(self, *, duration: float | None = None, start: float | None = None, end: float | None = None) -> None:
        """Create an empty collection. All values are seconds from the start of the file, None if unknown or unset."""
        self._first = start or 0.0
        self._last = min(MAX_TIME_S if end is None else end, MAX_TIME_S if duration is None else duration)
        # Speech after a passage is unwanted, but a segment just after the file's end belongs to its end.
        is_cut_short = end is not None and (duration is None or end < duration)
        self._latest_start = self._last if is_cut_short else self._last + _OVERSHOOT_S
        self._drafts: list[_Draft] = []
        self._language: str | None = None
        self._word_count = 0
        self._estimated = 0
        self._shifted = 0
        self._outside = 0
        self._too_many = 0

    def take(self, text: str) -> Progress:
        """Add the new segments of an answer. Raises UnreadableAnswerError if the answer has no list of segments."""
        read = read_json(text)
        listed_items = listed(read, "segments", lambda item: "text" in item)
        if self._language is None and isinstance(read.value, dict):
            self._language = one_line(read.value.get("language"), _MAX_NAME_CHARS)
        texts = ((item, one_line(item.get("text"), MAX_TEXT_CHARS)) for item in listed_items)
        items = [_item(item, words) for item, words in texts if words is not None]
        kept_before = len(self._drafts)
        overlap = Overlap(self._drafts) if self._drafts else None
        if overlap is not None:
            items = self._on_the_files_clock(items, overlap)
        # The end of the segment before is the start of a segment without a start.
        at = self._drafts[-1].end if self._drafts else self._first
        for item, next_start in zip(items, _next_starts(items), strict=True):
            draft = self._place(item, min(at, self._last if next_start is None else next_start))
            if draft is None:
                self._outside += 1
                continue
            if overlap is not None:
                has_new = len(self._drafts) > kept_before
                draft = _new_of(draft, overlap, is_timed=item.start is not None, has_new=has_new)
            if draft is not None:
                at = draft.end
                self._keep(draft, item)
        return Progress(read.is_whole, has_new=len(self._drafts) > kept_before)

    def _on_the_files_clock(self, items: list[_Item], overlap: Overlap) -> list[_Item]:
        timed = [_stretch(item, item.start) for item in items if item.start is not None]
        shift = overlap.shift(timed, self._first, self._latest_start)
        if not shift:
            return items
        self._shifted += 1
        return [
            replace(item, start=_shifted(item.start, shift), end=_shifted(item.end, shift), shift=shift)
            for item in items
        ]

    def _place(self, item: _Item, otherwise: float) -> _Draft | None:
        """Return a segment with its times within the limits; None if the segment lies outside."""
        draft = _stretch(item, otherwise if item.start is None else item.start)
        if item.start is not None and (draft.start >= self._latest_start or draft.end <= self._first):
            return None
        return replace(draft, start=self._within(draft.start), end=self._within(draft.end))

    def _within(self, seconds: float) -> float:
        return max(self._first, min(seconds, self._last))

    def _keep(self, draft: _Draft, item: _Item) -> None:
        # A looping model could otherwise fill the memory.
        if len(self._drafts) == MAX_SEGMENTS:
            self._too_many += 1
            return
        draft.arrival = len(self._drafts)
        known_words = word_count(item.plain) - word_count(draft.plain)
        given = item.raw.get("words")
        for one in given if isinstance(given, list) else ():
            word = one_line(one.get("word"), MAX_TEXT_CHARS) if isinstance(one, dict) else None
            if word is None or self._word_count == MAX_WORDS:
                continue
            if known_words > 0:
                known_words -= word_count(plain(word))
                continue
            start, end = read_time(one.get("start")), read_time(one.get("end"))
            draft.words.append((_shifted(start, item.shift), _shifted(end, item.shift), word))
            self._word_count += 1
        self._drafts.append(draft)
        self._estimated += item.start is None or not draft.has_end

    def last_items(self) -> str:
        """Return the last segments as JSON of the question's schema, at most 20 and 16 KB; "" without segments."""
        if not self._drafts:
            return ""
        shown: list[dict[str, object]] = []
        size = len(as_json({"language": self._language or "", "segments": []}).encode())
        for draft in reversed(self._drafts[-MAX_SHOWN_SEGMENTS:]):
            segment = _as_json(draft)
            size += len(as_json(segment).encode()) + 1
            if size > MAX_SHOWN_BYTES:
                break
            shown.append(segment)
        if not shown:
            last = self._drafts[-1]
            shown = [_as_json(replace(last, text=last.text[-_MAX_SHOWN_CHARS:], words=[]))]
        return as_json({"language": self._language or "", "segments": shown[::-1]})

    def continuation(self) -> Question:
        """Return the question for the speech after the last kept segment."""
        until = clock(self._drafts[-1].end if self._drafts else self._first)
        return Question(
            f"Your answer was cut off; its last segments are above. Continue the transcript from {until}, by the same "
            "rules and in the same format; times still count from the start of the whole file. Do not repeat any "
            "segment. If there is no further speech, return no segments.",
            schema(with_words=self._word_count > 0),
        )

    def result(self) -> TranscriptReading:
        """Return the segments collected so far."""
        drafts = sorted(self._drafts, key=lambda draft: draft.start)
        next_starts = [*(draft.start for draft in drafts), self._last][1:]
        segments = tuple(
            _finished(index, draft, following)
            for index, (draft, following) in enumerate(zip(drafts, next_starts, strict=True))
        )
        return TranscriptReading(
            language=self._language,
            text=" ".join(segment.text for segment in segments),
            segments=segments,
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> Iterator[TaskWarning]:
        if self._estimated:
            detail = f"Segments with an estimated start or end: {self._estimated}."
            yield TaskWarning("times-estimated", None, detail)
        if self._shifted:
            detail = f"Continuations whose times began again from the start and were moved: {self._shifted}."
            yield TaskWarning("times-shifted", None, detail)
        if self._outside:
            limits = f"{clock(self._first)} to {clock(self._last)}"
            detail = f"Segments left out because they lie outside {limits}: {self._outside}."
            yield TaskWarning("segments-outside", None, detail)
        if self._too_many:
            detail = f"Segments left out because at most {MAX_SEGMENTS} are kept: {self._too_many}."
            yield TaskWarning("too-many-segments", None, detail)


def _item(item: Mapping[str, object], text: str) -> _Item:
    return _Item(item, text, plain(text), read_time(item.get("start")), read_time(item.get("end")))


def _shifted(time: float | None, seconds: float) -> float | None:
    return None if time is None else round(time + seconds, 3)


def _next_starts(items: list[_Item]) -> list[float | None]:
    """Return for each item the first start among the items after it."""
    found: list[float | None] = []
    following: float | None = None
    for item in reversed(items):
        found.append(following)
        following = following if item.start is None else item.start
    return found[::-1]


def _stretch(item: _Item, start: float) -> _Draft:
    """Return a segment with an end, which may be a guess; `start` may be a guess too."""
    end = item.end
    has_end = end is not None and end > start
    if end is None or not has_end:
        end = start + max(_SHORTEST_GUESS_S, round(len(item.text) / _CHARS_PER_S, 3))
    speaker = one_line(item.raw.get("speaker"), _MAX_NAME_CHARS)
    return _Draft(start, end, has_end, speaker, item.text, item.plain)


def _new_of(draft: _Draft, overlap: Overlap, *, is_timed: bool, has_new: bool) -> _Draft | None:
    """Return a later answer's segment without the words that were kept before; None if no words remain."""
    # A segment without a time counts as a repeat only until the answer has brought new speech.
    if not is_timed:
        return None if not has_new and overlap.has_said(draft.plain) else draft
    known = overlap.known(draft)
    if known.words == word_count(draft.plain):
        return None
    if not known.words:
        return draft
    text = after_words(draft.text, known.words)
    return replace(draft, start=min(max(draft.start, known.until), draft.end), text=text, plain=plain(text))


def _as_json(draft: _Draft) -> dict[str, object]:
    shown: dict[str, object] = {
        "start": clock(draft.start),
        "end": clock(draft.end),
        "speaker": draft.speaker,
        "text": draft.text,
    }
    if draft.words:
        shown["words"] = [
            {"start": clock(word.start), "end": clock(word.end), "word": word.word} for word in _words(draft, draft.end)
        ]
    return shown


def _finished(index: int, draft: _Draft, next_start: float) -> Segment:
    end = draft.end
    # A guessed end must not cover the next segment.
    if not draft.has_end and next_start > draft.start:
        end = min(end, next_start)
    return Segment(index, draft.start, end, draft.speaker, draft.text, tuple(_words(draft, end)), draft.arrival)


def _words(draft: _Draft, segment_end: float) -> Iterator[Word]:
    """Yield the words in order within their segment; if a time is missing, words share the time by their lengths."""
    has_all_times = all(start is not None and end is not None for start, end, _ in draft.words)
    per_char = (segment_end - draft.start) / max(1, sum(len(word) for _, _, word in draft.words))
    at = draft.start
    for given_start, given_end, word in draft.words:
        if given_start is None or given_end is None or not has_all_times:
            start, end = at, at + len(word) * per_char
        else:
            start, end = given_start, given_end
        start = min(max(at, round(start, 3)), segment_end)
        at = min(max(start, round(end, 3)), segment_end)
        yield Word(start, at, word)
