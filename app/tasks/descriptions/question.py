"""A video scene by scene: what is asked, and the scenes gathered from as many answers as it takes.

    answer ──> items ──> times read, repeats dropped ──┐
    scenes within limits, one behind the other <── whose clock? <──┘

A scene's words are kept, its times are mended. It knows no video: Gemini looks at the passage, this sees times only.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.task import Question, Taken, TaskWarning
from app.tasks.times import clock, read_time
from app.tasks.wording import one_line

MAX_SCENES = 10_000
MAX_TEXT_CHARS = 1_000_000

_SAID_SCENES = 10
# With at most four bytes a character this bounds what is shown to 16 KB.
_SAID_CHARS = 350
# A model looks at about one frame a second, and is no more exact than that.
_INEXACT_S = 1.0
# Times are told in tenths; two that differ by less are the same.
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
    """What is seen and heard between two times, in seconds from the start of the file; start <= end."""

    start: float
    end: float
    description: str


@dataclass(frozen=True, slots=True)
class Description:
    """A video's scenes in order; none begins before the one before it ends, none leaves the passage or the file."""

    scenes: tuple[Scene, ...]
    warnings: tuple[TaskWarning, ...]


def question(*, start: float | None, end: float | None, prompt: str | None, language: str | None) -> Question:
    """Ask for the scenes of a video, or of the passage between two times (seconds from the start of the file)."""
    parts = [
        "Describe this video scene by scene, from its beginning to its end.",
        _passage(start, end),
        "A new scene begins where the place, the subject or the action changes; shots that belong together are one "
        "scene. Scenes follow one another in order of time, without gaps and without overlaps.",
        "description says in one to three sentences what is to be seen and, where it matters, heard. Describe only "
        "what is there; do not guess.",
        "start and end are written MM:SS.s (from an hour on H:MM:SS.s), with tenths of seconds, and always count from "
        "the start of the whole video, even if only a passage of it is shown.",
        f"Write the descriptions in this language: {language}." if language else "",
        f"Mind also: {prompt}" if prompt else "",
    ]
    return Question("\n".join(part for part in parts if part), _SCHEMA)


def _passage(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    until = clock(end) if end is not None else "the end"
    return f"Only from {clock(start or 0)} to {until} of the whole video; leave out what comes before and after."


@dataclass(frozen=True, slots=True)
class _Told:
    """A scene on the model's clock. An end that it did not tell is None; a start that it did not tell is a guess."""

    start: float
    end: float | None
    description: str
    has_start: bool

    @property
    def until(self) -> float:
        return self.start if self.end is None else self.end


class Scenes:
    """Gathers scenes out of one or several answers.

    Until the end they keep the model's own times: Gemini is given the passage alone, and a model may count from the
    passage's start although it is asked not to. Only all its times together show that, and it goes on by the same
    clock as before.
    """

    def __init__(self, *, duration: float | None, start: float | None, end: float | None) -> None:
        """Take the file's duration and the limits of the passage, all in seconds from the start of the file."""
        self._first = start or 0.0
        self._last = min(math.inf if duration is None else duration, math.inf if end is None else end)
        self._told: list[_Told] = []
        self._latest: _Told | None = None
        self._known: set[_Told] = set()
        self._too_many = 0

    def take(self, text: str) -> Taken:
        """Add the scenes that are new. Raises UnreadableAnswerError when there are none, not even an empty list."""
        read = read_json(text)
        had = len(self._told)
        until = self._until() if had else None
        for item in listed(read, "scenes", lambda item: "description" in item):
            told = self._read(item)
            if told is not None and until is not None:
                told = _behind(told, until)
            if told is not None and told not in self._known:
                self._keep(told)
        return Taken(read.is_whole, has_new=len(self._told) > had)

    def said(self) -> str:
        """Give the last scenes as JSON of the question's schema, at most 10 and 16 KB; "" when none was kept."""
        if not self._told:
            return ""
        items = [
            {"start": clock(one.start), "end": clock(one.until), "description": one.description[:_SAID_CHARS]}
            for one in self._told[-_SAID_SCENES:]
        ]
        return as_json({"scenes": items})

    def go_on(self) -> Question:
        """Ask for what follows the last scene that was kept."""
        return Question(
            f"Your answer was cut off; its last scenes are above. Go on behind {clock(self._until())} with the scenes "
            "that follow, by the same rules and in the same form. Do not repeat any scene; if none follows, give no "
            "scenes.",
            _SCHEMA,
        )

    def result(self) -> Description:
        """Give what was gathered, on the file's clock and within the limits."""
        shift = self._shift()
        told = sorted(
            (
                replace(one, start=one.start + shift, end=None if one.end is None else one.end + shift)
                for one in self._told
            ),
            key=lambda one: one.start,
        )
        scenes: list[Scene] = []
        outside = 0
        for one, end in zip(told, self._ends(told), strict=True):
            if one.has_start and (one.start >= self._last or (one.start < self._first and end <= self._first)):
                outside += 1
            else:
                _append(scenes, Scene(self._within(one.start), self._within(end), one.description))
        return Description(tuple(scenes), tuple(self._warnings(shift, outside)))

    def _read(self, item: dict[str, object]) -> _Told | None:
        description = one_line(item.get("description"), MAX_TEXT_CHARS)
        if description is None:
            return None
        start, end = read_time(item.get("start")), read_time(item.get("end"))
        has_start = start is not None
        if start is None:
            start = self._told[-1].until if self._told else 0.0
        return _Told(start, end if end is not None and end >= start else None, description, has_start)

    def _keep(self, told: _Told) -> None:
        if len(self._told) == MAX_SCENES:
            self._too_many += 1
            return
        self._told.append(told)
        self._known.add(told)
        if self._latest is None or told.start >= self._latest.start:
            self._latest = told

    def _until(self) -> float:
        # Ends may be wrong, but only the latest scene's is not held against the start of another.
        return 0.0 if self._latest is None else min(self._latest.until, self._last)

    def _shift(self) -> float:
        """Give what is to be added to the model's times: the passage's start, if the model counted from there.

        It did if its times fit into the passage's length (where that is not known: if all lie before the passage),
        and begin nearer to 0 than to the passage's start: scenes that count from the file's start do not, save for
        some inexactness.
        """
        starts = [one.start for one in self._told if one.has_start]
        length = self._first if math.isinf(self._last) else self._last - self._first
        is_fitting = max((one.until for one in self._told), default=0.0) <= length + _INEXACT_S
        return self._first if starts and is_fitting and min(starts) < self._first / 2 else 0.0

    def _ends(self, told: list[_Told]) -> list[float]:
        """Give the ends of scenes in order; a missing one is the next start, for the last the limit if it is known."""
        ends: list[float] = []
        following = self._last
        next_start = self._last
        for one in reversed(told):
            if one.start < next_start:
                following, next_start = next_start, one.start
            untold = one.start if math.isinf(following) else max(one.start, following)
            ends.append(untold if one.end is None else one.end)
        return ends[::-1]

    def _within(self, seconds: float) -> float:
        return round(max(self._first, min(seconds, self._last)), 3)

    def _warnings(self, shift: float, outside: int) -> Iterator[TaskWarning]:
        if shift:
            detail = f"The model counted from the start of the passage; {clock(shift)} was added to its times."
            yield TaskWarning("times-shifted", None, detail)
        mended = sum(not one.has_start or one.end is None for one in self._told)
        if mended:
            detail = f"Times of scenes that came without a usable start or end are estimated: {mended}."
            yield TaskWarning("times-estimated", None, detail)
        if outside:
            until = "the end" if math.isinf(self._last) else clock(self._last)
            detail = f"Scenes outside of {clock(self._first)} to {until} were left out: {outside}."
            yield TaskWarning("scenes-outside", None, detail)
        if self._too_many:
            detail = f"At most {MAX_SCENES} scenes are kept; left out were: {self._too_many}."
            yield TaskWarning("too-many-scenes", None, detail)


def _behind(told: _Told, until: float) -> _Told | None:
    """Give what is new in a scene of a later answer: None when it lies in what was told `until` then."""
    if told.start >= until - _SAME_TIME_S:
        return told
    if told.until <= until + _INEXACT_S:
        return None
    return replace(told, start=until)


def _append(scenes: list[Scene], scene: Scene) -> None:
    """Put a scene behind those before it, of which none starts later.

    Where two overlap, the later start is where the first one ends: a model sees where something begins better than
    where it ends. Of two that start together the second follows the first.
    """
    if scenes and scene.start > scenes[-1].start:
        scenes[-1] = replace(scenes[-1], end=min(scenes[-1].end, scene.start))
    elif scenes:
        start = scenes[-1].end
        scene = replace(scene, start=start, end=max(start, scene.end))
    scenes.append(scene)
