"""Segmentation: which objects are in a picture, where, and which pixels are their own.

    answer ──> Finding (as in detection) ── mask: base64 PNG, or outline ──> Segment

An object whose mask cannot be read keeps its box. Work and memory are bounded: after so many pixels, masks are left
out, with a warning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from app.tasks import masks
from app.tasks.boxes import Box2d
from app.tasks.detections.question import (
    BOX_RULES,
    Finding,
    FoundObject,
    objects_schema,
    read_findings,
    what_to_find,
)
from app.tasks.masks import Mask
from app.tasks.task import Question, TaskWarning
from app.tasks.wording import paragraphs, wish

MAX_WORK = 250_000_000
"""Pixels of masks at most: of the maps that models send, of boxes, and, cheaper, of whole pictures."""
_FULL_DISCOUNT = 4
_OUTLINES = ("mask", "polygon", "contour")
_MASK = {"type": "string", "description": "data:image/png;base64,..."}

Placement = Literal["cropped", "full", "none"]


@dataclass(frozen=True, slots=True)
class Segment:
    """An object and its pixels; None when the model gave none that can be read, or none were asked for."""

    found: FoundObject
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Segmentations:
    """The objects in the model's order; `dropped_count` says how many had no usable box, or no wanted label."""

    objects: tuple[Segment, ...]
    dropped_count: int
    is_whole: bool
    warnings: tuple[TaskWarning, ...]


def question(*, labels: Sequence[str], prompt: str | None, language: str | None) -> Question:
    """Ask for the masks of the objects with these labels, or of all that matter when there are none."""
    instruction = paragraphs(
        (
            "Give the segmentation masks of objects in this picture.",
            *what_to_find(labels, language),
            "Answer with a JSON list of segmentation masks: each entry has the bounding box in box_2d, the mask in "
            "mask, and the text in label.",
            BOX_RULES,
            "mask is a PNG as data URL, data:image/png;base64,...: a map of the probability from 0 to 255 that a pixel "
            "belongs to the object, stretched over its box_2d.",
            wish(prompt),
        )
    )
    # Masks are better, as Gemini's guide has it, when the model does not think.
    return Question(instruction, objects_schema(labels, {"mask": _MASK}), thinking_level="minimal")


def read(text: str, *, width: int, height: int, labels: Sequence[str], mask: Placement) -> Segmentations:
    """Read the objects and masks of an answer about a picture of this size in pixels.

    A mask comes "cropped" to its box, or "full", as large as the picture; with "none" no mask is looked at. Raises
    UnreadableAnswerError when the answer holds no list of objects.
    """
    findings = read_findings(text, width=width, height=height, labels=labels)
    if mask == "none":
        found = tuple(Segment(one.found, None) for one in findings.all)
        return Segmentations(found, findings.dropped_count, findings.is_whole, findings.warnings)
    reader = _MaskReader(width, height, is_full=mask == "full")
    segments = tuple(Segment(one.found, reader.read(one)) for one in findings.all)
    return Segmentations(
        segments, findings.dropped_count, findings.is_whole, (*findings.warnings, *reader.warnings(len(segments)))
    )


class _MaskReader:
    """Reads masks as long as the work is bounded, and counts those that are missing."""

    def __init__(self, width: int, height: int, *, is_full: bool) -> None:
        self._size = (width, height)
        self._is_full = is_full
        self._work = 0
        self._unreadable = 0
        self._left_out = 0

    def read(self, finding: Finding) -> Mask | None:
        """Read an object's mask; None when there is none, or no work is left for it."""
        if self._is_spent(finding):
            self._left_out += 1
            return None
        pixels = self._pixels(finding.item, finding.box_2d, finding.found)
        mask = (
            None if pixels is None else masks.finish(pixels, finding.found.box, self._size if self._is_full else None)
        )
        if mask is None:
            self._unreadable += 1
        return mask

    def _is_spent(self, finding: Finding) -> bool:
        box = finding.found.box
        self._work += box.width * box.height
        if self._is_full:
            self._work += self._size[0] * self._size[1] // _FULL_DISCOUNT
        return self._work > MAX_WORK

    def _pixels(self, item: Mapping[str, object], box_2d: Box2d, found: FoundObject) -> Image.Image | None:
        value = item.get("mask")
        if isinstance(value, str):
            probabilities = masks.decode_probabilities(value)
            if probabilities is None:
                return None
            self._work += probabilities.width * probabilities.height
            return masks.from_probabilities(probabilities, box_2d, found.box, *self._size)
        for name in _OUTLINES:
            points = masks.read_outline(item.get(name))
            if points is not None:
                return masks.from_outline(points, found.box, *self._size)
        return None

    def warnings(self, count: int) -> list[TaskWarning]:
        """Say how many of so many objects have no mask, and why."""
        warnings = []
        if self._unreadable:
            detail = f"{self._unreadable} of {count} objects came without a readable mask."
            warnings.append(TaskWarning("no-mask", None, detail))
        if self._left_out:
            detail = (
                f"The masks of {self._left_out} of {count} objects are left out: together they have too many pixels."
            )
            warnings.append(TaskWarning("too-many-mask-pixels", None, detail))
        return warnings
