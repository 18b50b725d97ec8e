"""Tasks on time: the loud passages of a recording as segments of speech, the scenes of a film.

Times count from the start of the whole file; a part's offsets, and what the model said before, limit what is told. The
emulator hears no words, and says so in their place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.clock import seconds_of, time_in
from gemini_emulator.generation.tasks.continuation import last_item
from gemini_emulator.generation.tasks.outline import Outline
from gemini_emulator.generation.tasks.recognition import Task
from gemini_emulator.generation.tasks.wording import with_article
from gemini_emulator.senses.kinds import Kind, kind_of
from gemini_emulator.senses.sound import hear
from gemini_emulator.senses.unreadable import UnreadableMediaError
from gemini_emulator.senses.video import watch

# Times that were told to a tenth of a second are off by half of that.
_TOLERANCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a medium, in seconds of the whole file, and its number or name."""

    start: float
    end: float
    name: str


def transcribe(task: Task, media: Sequence[MediaPart], said: str) -> object:
    """Give the loud passages of the first recording, or film with sound."""
    items: list[Mapping[str, object]] = []
    for passage in _wanted(loud_passages(media), task, said):
        text = f"[{passage.name}, {passage.start:.2f} s to {passage.end:.2f} s]"
        item = {**_times(passage, task.items), "speaker": "Speaker 1", "text": text}
        if task.items.has("words"):
            item["words"] = _words(text, passage, task.items.property("words").items())
        items.append(item)
    return task.listing(items, language="und")


def describe_scenes(task: Task, media: Sequence[MediaPart], said: str) -> object:
    """Give the scenes of the first film, each by the colour that dominates it."""
    scenes = _wanted(_watched(media), task, said)
    return task.listing(
        [{**_times(scene, task.items), "description": f"{with_article(scene.name)} scene"} for scene in scenes]
    )


def loud_passages(media: Sequence[MediaPart]) -> list[Passage]:
    """Return the loud passages of the first recording or film, numbered, within the part's offsets."""
    part = next((part for part in media if kind_of(part.mime_type) in {Kind.AUDIO, Kind.VIDEO}), None)
    if part is None:
        return []
    try:
        passages = [passage for passage in hear(part.data, part.mime_type).passages if passage.is_loud]
    except UnreadableMediaError:
        return []
    numbered = (Passage(one.start, one.end, f"loud passage {number}") for number, one in enumerate(passages, 1))
    return list(_clipped(numbered, part))


def _watched(media: Sequence[MediaPart]) -> list[Passage]:
    part = next((part for part in media if kind_of(part.mime_type) is Kind.VIDEO), None)
    if part is None:
        return []
    try:
        scenes = watch(part.data).scenes
    except UnreadableMediaError:
        return []
    return list(_clipped((Passage(scene.start, scene.end, scene.colour) for scene in scenes), part))


def _clipped(passages: Iterator[Passage], part: MediaPart) -> Iterator[Passage]:
    """Keep what lies between the part's offsets."""
    for passage in passages:
        start = max(passage.start, part.start or 0.0)
        end = passage.end if part.end is None else min(passage.end, part.end)
        if start < end:
            yield Passage(start, end, passage.name)


def _wanted(passages: list[Passage], task: Task, said: str) -> list[Passage]:
    """Keep what begins behind the last item of an earlier answer."""
    last = last_item(task, said)
    end = None if last is None else seconds_of(last.get("end"))
    return passages if end is None else [passage for passage in passages if passage.start >= end - _TOLERANCE_S]


def _times(passage: Passage, schema: Outline) -> dict[str, object]:
    return {
        "start": time_in(schema.property("start"), passage.start),
        "end": time_in(schema.property("end"), passage.end),
    }


def _words(text: str, passage: Passage, schema: Outline) -> list[dict[str, object]]:
    """Spread the words evenly over the passage."""
    words = text.split()
    step = (passage.end - passage.start) / len(words)
    places = (Passage(passage.start + step * n, passage.start + step * (n + 1), word) for n, word in enumerate(words))
    return [{"word": place.name, **_times(place, schema)} for place in places]
