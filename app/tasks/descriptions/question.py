"""Descriptions: the prompt for a video's scenes, and the scenes collected from one or several answers.

    answer ──> items ──> times read, repeats dropped ──> the file's or the passage's clock? ──> scenes in order

The text of a scene is kept, its times are corrected. This module sees no video, only the times that the model gives.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.task import Progress, Question, TaskWarning
from app.tasks.times import clock, read_time
from app.tasks.wording import one_line, paragraphs, wish

MAX_SCENES = 10_000
MAX_TEXT_CHARS = 1_000_000

_SHOWN_SCENES = 10
# With at most four bytes a character, the shown scenes stay below 16 KB.
_SHOWN_CHARS = 350
# Gemini samples about one frame a second, so its times are no more exact than that.
_INEXACT_S = 1.0
# Times are given in tenths of a second; times that differ by less are the same.
_SAME_TIME_S = 0.2

_TIME = {"type": "string", "description": "MM:SS.s"}
_SCENE = {
    "type": "object",
    "properties": {"start": _TIME, "end": _TIME, "description": {"type": "string"}},
    "required": ["start", "end", "description"],
}
_SCHEMA = {
    "type": "object",
    "properties": {"scenes": {"type": "array", "items": _SCENE}},
    "required": ["scenes"],
}


@dataclass(frozen=True, slots=True)
class Scene:
    """The visible and audible content between two times, in seconds from the start of the file; start <= end."""

    start: float
    end: float
    description: str


@dataclass(frozen=True, slots=True)
class Description:
    """A video's scenes in order, without overlaps, within the passage and the file."""

    scenes: tuple[Scene, ...]
    warnings: tuple[TaskWarning, ...]


def question(*, start: float | None, end: float | None, prompt: str | None, language: str | None) -> Question:
    """Return the question for a video, or for its passage between two times in seconds from the start of the file."""
    parts = [
        "Describe this video scene by scene, from beginning to end.",
        _passage(start, end),
        "A new scene begins when the place, the subject or the action changes; shots that belong together are one "
        "scene. Scenes are in chronological order, without gaps and without overlaps.",
        "description describes in one to three sentences the visible content and any sound that matters. Describe only "
        "actual content; do not guess.",
        "start and end are written as MM:SS.s (from one hour on as H:MM:SS.s), with tenths of a second, and always "
        "count from the start of the whole video, even if only a passage of it is shown.",
        f"Write the descriptions in this language: {language}." if language else None,
        wish(prompt),
    ]
    return Question(paragraphs(parts), _SCHEMA)


def _passage(start: float | None, end: float | None) -> str | None:
    if start is None and end is None:
        return None
    until = clock(end) if end is not None else "the end"
    return f"Describe only the passage from {clock(start or 0)} to {until} of the whole video, and omit the rest."


@dataclass(frozen=True, slots=True)
class _RawScene:
    """A scene on the model's clock. A missing end is None; a missing start is a guess."""

    start: float
    end: float | None
    description: str
    has_start: bool

    @property
    def until(self) -> float:
        return self.start if self.end is None else self.end


class Scenes:
    """Collects scenes from one or several answers."""

    # Scenes keep the model's own times until the end. Gemini sees the passage alone, and a model may count from the
    # passage's start although the prompt forbids it. Only all times together show that, and a continuation keeps the
    # clock of the first answer.

    def __init__(self, *, duration: float | None, start: float | None, end: float | None) -> None:
        """Create an empty collection. All values are seconds from the start of the file, None if unknown or unset."""
        self._first = start or 0.0
        self._last = min(math.inf if duration is None else duration, math.inf if end is None else end)
        self._scenes: list[_RawScene] = []
        self._latest: _RawScene | None = None
        self._known: set[_RawScene] = set()
        self._too_many = 0

    def take(self, text: str) -> Progress:
        """Add the new scenes of an answer. Raises UnreadableAnswerError if the answer has no list of scenes."""
        read = read_json(text)
        had = len(self._scenes)
        until = self._until() if had else None
        for item in listed(read, "scenes", lambda item: "description" in item):
            raw = self._read(item)
            if raw is not None and until is not None:
                raw = _after(raw, until)
            if raw is not None and raw not in self._known:
                self._keep(raw)
        return Progress(read.is_whole, has_new=len(self._scenes) > had)

    def last_items(self) -> str:
        """Return the last scenes as JSON of the question's schema, at most 10 and 16 KB; "" without scenes."""
        if not self._scenes:
            return ""
        items = [
            {"start": clock(scene.start), "end": clock(scene.until), "description": scene.description[:_SHOWN_CHARS]}
            for scene in self._scenes[-_SHOWN_SCENES:]
        ]
        return as_json({"scenes": items})

    def continuation(self) -> Question:
        """Return the question for the scenes after the last kept scene."""
        return Question(
            f"Your answer was cut off; its last scenes are above. Continue from {clock(self._until())} with the "
            "following scenes, by the same rules and in the same format. Do not repeat any scene. If no scene follows, "
            "return an empty list.",
            _SCHEMA,
        )

    def result(self) -> Description:
        """Return the collected scenes on the file's clock and within the limits."""
        shift = self._shift()
        ordered = sorted(
            (
                replace(raw, start=raw.start + shift, end=None if raw.end is None else raw.end + shift)
                for raw in self._scenes
            ),
            key=lambda raw: raw.start,
        )
        scenes: list[Scene] = []
        outside = 0
        for raw, end in zip(ordered, self._ends(ordered), strict=True):
            if raw.has_start and (raw.start >= self._last or (raw.start < self._first and end <= self._first)):
                outside += 1
            else:
                _append(scenes, Scene(self._within(raw.start), self._within(end), raw.description))
        return Description(tuple(scenes), tuple(self._warnings(shift, outside)))

    def _read(self, item: dict[str, object]) -> _RawScene | None:
        description = one_line(item.get("description"), MAX_TEXT_CHARS)
        if description is None:
            return None
        start, end = read_time(item.get("start")), read_time(item.get("end"))
        has_start = start is not None
        if start is None:
            start = self._scenes[-1].until if self._scenes else 0.0
        return _RawScene(start, end if end is not None and end >= start else None, description, has_start)

    def _keep(self, raw: _RawScene) -> None:
        # A looping model could otherwise fill the memory.
        if len(self._scenes) == MAX_SCENES:
            self._too_many += 1
            return
        self._scenes.append(raw)
        self._known.add(raw)
        if self._latest is None or raw.start >= self._latest.start:
            self._latest = raw

    def _until(self) -> float:
        # An end may be wrong. Every end but the latest scene's is corrected by the start of the next scene.
        return 0.0 if self._latest is None else min(self._latest.until, self._last)

    def _shift(self) -> float:
        """Return the seconds to add to the model's times: the passage's start if the model counted from it, else 0."""
        # The model counted from the passage's start if its times fit into the passage's length (or, without a known
        # end, if all times lie before the passage) and begin nearer to 0 than to the passage's start.
        starts = [raw.start for raw in self._scenes if raw.has_start]
        length = self._first if math.isinf(self._last) else self._last - self._first
        is_fitting = max((raw.until for raw in self._scenes), default=0.0) <= length + _INEXACT_S
        return self._first if starts and is_fitting and min(starts) < self._first / 2 else 0.0

    def _ends(self, ordered: list[_RawScene]) -> list[float]:
        """Return the ends of the scenes in order.

        A missing end becomes the next scene's start, and for the last scene the limit if it is known.
        """
        ends: list[float] = []
        following = self._last
        next_start = self._last
        for raw in reversed(ordered):
            if raw.start < next_start:
                following, next_start = next_start, raw.start
            fallback = raw.start if math.isinf(following) else max(raw.start, following)
            ends.append(fallback if raw.end is None else raw.end)
        return ends[::-1]

    def _within(self, seconds: float) -> float:
        return round(max(self._first, min(seconds, self._last)), 3)

    def _warnings(self, shift: float, outside: int) -> Iterator[TaskWarning]:
        if shift:
            detail = f"The model counted from the start of the passage; {clock(shift)} was added to its times."
            yield TaskWarning("times-shifted", None, detail)
        estimated = sum(not raw.has_start or raw.end is None for raw in self._scenes)
        if estimated:
            detail = f"Scenes with an estimated start or end: {estimated}."
            yield TaskWarning("times-estimated", None, detail)
        if outside:
            until = "the end" if math.isinf(self._last) else clock(self._last)
            detail = f"Scenes left out because they lie outside {clock(self._first)} to {until}: {outside}."
            yield TaskWarning("scenes-outside", None, detail)
        if self._too_many:
            detail = f"Scenes left out because at most {MAX_SCENES} are kept: {self._too_many}."
            yield TaskWarning("too-many-scenes", None, detail)


def _after(raw: _RawScene, until: float) -> _RawScene | None:
    """Return the part of a later answer's scene after `until`; None if the whole scene lies before."""
    if raw.start >= until - _SAME_TIME_S:
        return raw
    if raw.until <= until + _INEXACT_S:
        return None
    return replace(raw, start=until)


def _append(scenes: list[Scene], scene: Scene) -> None:
    """Append a scene; no scene before it starts later. Overlaps are resolved."""
    # A model sees the start of a scene better than its end. So of two scenes that overlap, the first ends at the start
    # of the second; of two that start together, the second follows the first.
    if scenes and scene.start > scenes[-1].start:
        scenes[-1] = replace(scenes[-1], end=min(scenes[-1].end, scene.start))
    elif scenes:
        start = scenes[-1].end
        scene = replace(scene, start=start, end=max(start, scene.end))
    scenes.append(scene)
