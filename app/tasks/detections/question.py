"""Detections: the prompt for the objects in a picture, and the reading of the answer.

    answer ── items ── box and label of each ──> Finding ... ──> Detections
                           └─ unusable or unwanted: dropped and counted

Boxes are in pixels of the picture as displayed. `read_findings` also serves segmentations.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.tasks.boxes import Box2d, PixelRectangle, in_pixels, in_thousandths, read_box_2d
from app.tasks.lenient_json import Lenient, UnreadableAnswerError, items_of, read_json
from app.tasks.task import Question, TaskWarning
from app.tasks.wording import one_line, paragraphs, wish

MAX_OBJECTS = 1_000
MAX_LABEL_CHARS = 200
ANY_LABEL = "object"

BOX_RULES = (
    "box_2d is the object's bounding box, [ymin, xmin, ymax, xmax]: whole numbers from 0 to 1000, y before x, "
    "measured from the top left corner, where 1000 is the whole height for y and the whole width for x. "
    "The box fits tightly around the visible part of the object."
)
_KNOWN = frozenset({"box_2d", "box", "label", "mask"})


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object: its box in pixels, and as ymin, xmin, ymax, xmax in thousandths of height and width."""

    label: str
    box: PixelRectangle
    box_2d: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects in the model's order; `dropped_count` counts items without a usable box or a wanted label."""

    objects: tuple[FoundObject, ...]
    dropped_count: int
    is_whole: bool
    warnings: tuple[TaskWarning, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """An object, its box before rounding, and the model's item with all its properties."""

    found: FoundObject
    box_2d: Box2d
    item: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Findings:
    """The usable items of an answer."""

    all: tuple[Finding, ...]
    dropped_count: int
    is_whole: bool
    warnings: tuple[TaskWarning, ...]


def question(*, labels: Sequence[str], prompt: str | None, language: str | None) -> Question:
    """Return the question for the objects with these labels, or without labels for all prominent objects."""
    instruction = paragraphs(
        (
            "Detect objects in this picture.",
            *search_rules(labels, language),
            "Return a JSON list with one entry per object.",
            BOX_RULES,
            wish(prompt),
        )
    )
    return Question(instruction, objects_schema(labels, {}))


def search_rules(labels: Sequence[str], language: str | None) -> tuple[str | None, ...]:
    """Return the sentences of an instruction that select the objects and their labels."""
    every = (
        "Each object has an entry of its own: never put several objects into one box, and never list an object twice. "
        "If there are no such objects, return an empty list."
    )
    if labels:
        names = "\n".join(f"- {one_line(label, MAX_LABEL_CHARS) or ''}" for label in labels)
        return (
            f"Find all objects of these kinds, and no other objects:\n{names}",
            every,
            "label is the kind, exactly as written above.",
        )
    return (
        "Find all prominent objects; if there are more than 50, the 50 most prominent.",
        every,
        'label names the object in one to four words, and distinguishes it from similar objects, as in "red car".',
        None if language is None else f"Write the labels in this language: {language}.",
    )


def objects_schema(labels: Sequence[str], more: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON Schema of a list of objects, with `more` properties between the box and the label."""
    label: dict[str, object] = {"type": "string"}
    if labels:
        # An enum makes the model use the client's spelling.
        label["enum"] = list(labels)
    coordinate = {"type": "integer", "minimum": 0, "maximum": 1000}
    box_2d = {
        "type": "array",
        "items": coordinate,
        "minItems": 4,
        "maxItems": 4,
        "description": "ymin, xmin, ymax, xmax",
    }
    return {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"box_2d": box_2d, **more, "label": label},
            "required": ["box_2d", "label"],
        },
    }


def read(text: str, *, width: int, height: int, labels: Sequence[str]) -> Detections:
    """Return the objects in an answer about a picture of this size in pixels; with labels, only objects with these.

    Raises UnreadableAnswerError if the answer contains no list of objects.
    """
    findings = read_findings(text, width=width, height=height, labels=labels)
    found = tuple(finding.found for finding in findings.all)
    return Detections(found, findings.dropped_count, findings.is_whole, findings.warnings)


def read_findings(text: str, *, width: int, height: int, labels: Sequence[str]) -> Findings:
    """Return the usable objects in an answer, at most 1000. Raises UnreadableAnswerError."""
    answer = read_json(text)
    # Reversed, so that of two labels with the same letters the first one wins.
    wanted = {_letters(label): label for label in reversed(labels)}
    kept: list[Finding] = []
    dropped = too_many = 0
    for item in _items(answer):
        finding = _finding(item, wanted, width, height)
        if finding is None:
            dropped += 1
        elif len(kept) == MAX_OBJECTS:
            too_many += 1
        else:
            kept.append(finding)
    warnings = []
    if too_many:
        detail = f"Objects left out because at most {MAX_OBJECTS} are kept: {too_many}."
        warnings.append(TaskWarning("too-many-objects", None, detail))
    return Findings(tuple(kept), dropped, answer.is_whole and not too_many, tuple(warnings))


def _items(answer: Lenient) -> list[dict[str, object]]:
    value = answer.value
    items = items_of(value, "objects")
    if not answer.is_whole and items == [value] and "label" not in items[0]:
        # The list was cut within its first object.
        return []
    if any(not _KNOWN.isdisjoint(item) for item in items):
        return items
    if not value or not answer.is_whole:
        return []
    if isinstance(value, dict) and any(member == [] for member in value.values()):
        return []
    raise UnreadableAnswerError("it contains no list of objects")


def _finding(item: Mapping[str, object], wanted: Mapping[str, str], width: int, height: int) -> Finding | None:
    box_2d = read_box_2d(item["box_2d"] if "box_2d" in item else item.get("box"))
    box = None if box_2d is None else in_pixels(box_2d, width, height)
    label = _label(item.get("label"), wanted)
    if box_2d is None or box is None or label is None:
        return None
    return Finding(FoundObject(label, box, in_thousandths(box_2d)), box_2d, item)


def _label(value: object, wanted: Mapping[str, str]) -> str | None:
    """Return an object's label in the client's spelling; None if the label is not wanted."""
    label = one_line(value, MAX_LABEL_CHARS)
    if not wanted:
        return label or ANY_LABEL
    if label is None:
        # If the question has a single label, models may omit it.
        return next(iter(wanted.values())) if len(wanted) == 1 else None
    return wanted.get(_letters(label))


def _letters(label: str) -> str:
    # An accent may be a code point of its own, as some file systems and keyboards write it, or part of its letter.
    return unicodedata.normalize("NFKC", one_line(label, MAX_LABEL_CHARS) or "").casefold()
