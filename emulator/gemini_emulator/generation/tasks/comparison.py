"""The differences between pictures: each later picture is compared with the first, shape by shape.

A shape without a match in the other picture is a difference at its own place, so a moved shape makes two differences.
"""

from collections.abc import Iterator, Mapping, Sequence

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.boxes import nearest_box
from gemini_emulator.generation.tasks.pictures import pictures_of, see
from gemini_emulator.generation.tasks.recognition import Task
from gemini_emulator.generation.tasks.wording import counted, listed, with_article
from gemini_emulator.senses.pictures import Picture, Shape

_TOLERANCE_THOUSANDTHS = 10.0
_TOLERANCE_PIXELS = 1.5


def compare(task: Task, media: Sequence[MediaPart], _: str) -> object:
    """Return the differences of all later pictures from the first; an unreadable picture has no differences."""
    first: Picture | None = None
    told: list[str] = []
    differences: list[Mapping[str, object]] = []
    for number, part in enumerate(pictures_of(media)):
        # One at a time beside the first: the masks of many large pictures would fill the memory.
        picture = see(part)
        told.append(_told(number, picture))
        if number == 0:
            first = picture
        elif first is not None and picture is not None:
            differences += _differences(first, picture, number)
    shown = listed(told) or "no pictures"
    return task.listing(differences, summary=f"Emulated: {shown}; {counted(len(differences), 'difference')}.")


def _told(number: int, picture: Picture | None) -> str:
    if picture is None:
        return f"picture {number} cannot be read"
    return f"picture {number} is {picture.width}x{picture.height} with {counted(len(picture.shapes), 'shape')}"


def _differences(first: Picture, other: Picture, number: int) -> Iterator[Mapping[str, object]]:
    missing, added = _unmatched(first, other)
    for shapes, picture, shown_in, absent_from in ((missing, first, 0, number), (added, other, number, 0)):
        for shape in shapes:
            yield {
                "description": f"{with_article(shape.label)} that picture {absent_from} does not show",
                "image_index": shown_in,
                "box_2d": list(nearest_box(shape.box, picture.width, picture.height)),
            }


def _unmatched(first: Picture, other: Picture) -> tuple[list[Shape], list[Shape]]:
    """Return the shapes of each picture without a match in the other."""
    missing: list[Shape] = []
    added = list(other.shapes)
    tolerances = [_tolerance(first.width, other.width), _tolerance(first.height, other.height)] * 2
    for shape in first.shapes:
        edges = _edges(shape, first)
        for candidate in added:
            gaps = [abs(one - two) for one, two in zip(edges, _edges(candidate, other), strict=True)]
            is_near = all(gap <= tolerance for gap, tolerance in zip(gaps, tolerances, strict=True))
            if is_near and candidate.label == shape.label:
                added.remove(candidate)
                break
        else:
            missing.append(shape)
    return missing, added


def _tolerance(side: int, other_side: int) -> float:
    # Compression moves edges by a pixel, which is many thousandths of a small picture.
    return max(_TOLERANCE_THOUSANDTHS, _TOLERANCE_PIXELS * 1_000 / min(side, other_side))


def _edges(shape: Shape, picture: Picture) -> tuple[float, ...]:
    sides = (picture.width, picture.height) * 2
    return tuple(edge * 1_000 / side for edge, side in zip(shape.box, sides, strict=True))
