"""Segmentations: the prompt for the masks of the objects in a picture, and the reading of the answer.

    answer ──> Finding (as in detections) ── mask: base64 PNG, or outline ──> FoundSegment

An object with an unreadable mask keeps its box. Work and memory are bounded: after `MAX_WORK` pixels, further masks are
left out with a warning.
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
    search_rules,
)
from app.tasks.masks import Mask
from app.tasks.task import Question, TaskWarning
from app.tasks.wording import paragraphs, wish

# Largest number of pixels. Those of the model's maps and of boxes count in full, those of whole pictures less.
MAX_WORK = 250_000_000
_FULL_DISCOUNT = 4
_OUTLINES = ("mask", "polygon", "contour")
_MASK = {"type": "string", "description": "data:image/png;base64,..."}

Placement = Literal["cropped", "full", "none"]


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """An object and its mask; None if the answer has no readable mask, or no masks were requested."""

    found: FoundObject
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Segmentations:
    """The objects in the model's order; `dropped_count` counts items without a usable box or a wanted label."""

    objects: tuple[FoundSegment, ...]
    dropped_count: int
    is_whole: bool
    warnings: tuple[TaskWarning, ...]


def question(*, labels: Sequence[str], prompt: str | None, language: str | None) -> Question:
    """Return the question for the masks of objects with these labels, or without labels of all prominent objects."""
    instruction = paragraphs(
        (
            "Give the segmentation masks of the objects in this picture.",
            *search_rules(labels, language),
            "Output a JSON list of segmentation masks where each entry contains the bounding box in box_2d, the "
            "segmentation mask in mask, and the text label in label.",
            BOX_RULES,
            "mask is a PNG as a data URL (data:image/png;base64,...): a map of the probability, from 0 to 255, that a "
            "pixel belongs to the object, covering the area of box_2d.",
            wish(prompt),
        )
    )
    # Gemini's guide: masks are better without thinking.
    return Question(instruction, objects_schema(labels, {"mask": _MASK}), thinking_level="minimal")


def read(text: str, *, width: int, height: int, labels: Sequence[str], mask: Placement) -> Segmentations:
    """Return the objects and masks in an answer about a picture of this size in pixels.

    A mask is "cropped" to its box or "full", as large as the picture; "none" ignores masks. Raises
    UnreadableAnswerError if the answer contains no list of objects.
    """
    findings = read_findings(text, width=width, height=height, labels=labels)
    if mask == "none":
        found = tuple(FoundSegment(finding.found, None) for finding in findings.all)
        return Segmentations(found, findings.dropped_count, findings.is_whole, findings.warnings)
    reader = _MaskReader(width, height, is_full=mask == "full")
    segments = tuple(FoundSegment(finding.found, reader.read(finding)) for finding in findings.all)
    return Segmentations(
        segments, findings.dropped_count, findings.is_whole, (*findings.warnings, *reader.warnings(len(segments)))
    )


class _MaskReader:
    """Reads masks until the work reaches its bound, and counts missing masks."""

    def __init__(self, width: int, height: int, *, is_full: bool) -> None:
        self._size = (width, height)
        self._is_full = is_full
        self._work = 0
        self._unreadable = 0
        self._left_out = 0

    def read(self, finding: Finding) -> Mask | None:
        """Return an object's mask; None if the mask is missing or unreadable, or the bound is reached."""
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
        """Return the warnings about missing masks among `count` objects."""
        warnings = []
        if self._unreadable:
            detail = f"Objects without a readable mask: {self._unreadable} of {count}."
            warnings.append(TaskWarning("no-mask", None, detail))
        if self._left_out:
            detail = f"Masks left out because together they have too many pixels: {self._left_out} of {count}."
            warnings.append(TaskWarning("too-many-mask-pixels", None, detail))
        return warnings
