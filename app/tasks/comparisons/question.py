"""Comparison: how several pictures differ, and where each difference shows.

The pictures are told apart by their index from 0, which the model is shown before each one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.tasks.boxes import PixelBox, in_pixels, read_box_2d, read_number
from app.tasks.lenient_json import UnreadableAnswerError, items_of, read_json
from app.tasks.task import Question
from app.tasks.wording import one_line, paragraphs, wish

MAX_DIFFERENCES = 1_000
MAX_TEXT_CHARS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: the picture in which it shows, from 0, and its box there, None when it has no certain place."""

    description: str
    image_index: int
    box: PixelBox | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the pictures differ."""

    summary: str | None
    differences: tuple[Difference, ...]
    is_whole: bool


def question(count: int, prompt: str | None, language: str | None) -> Question:
    """Ask how `count` pictures differ; `prompt` is what else to mind."""
    instruction = paragraphs(
        (
            f"Compare these {count} pictures. Before each one stands its number, from 0 to {count - 1}.",
            "summary says in one to three sentences what the pictures have in common and how they differ.",
            "differences lists each difference that can be seen, the most important one first, at most 50. Leave out "
            "noise, compression, and small shifts of the whole picture. If nothing differs, the list is empty.",
            "description says in one sentence what differs, and between which pictures.",
            "image_index is the number of the picture in which the difference is seen best. If something is missing "
            "from one picture, it is the number of a picture in which it is there.",
            "box_2d is where it is in that picture: [ymin, xmin, ymax, xmax], whole numbers from 0 to 1000, y before "
            "x, measured from the picture's own top left corner, where 1000 is its whole height for y and its whole "
            "width for x. Leave box_2d out of a difference that is not in one place.",
            None if language is None else f"Write summary and descriptions in this language: {language}.",
            wish(prompt),
        )
    )
    return Question(instruction, _schema(count))


def _schema(count: int) -> dict[str, object]:
    text = {"type": "string"}
    coordinate = {"type": "integer", "minimum": 0, "maximum": 1000}
    difference = {
        "type": "object",
        "properties": {
            "description": text,
            "image_index": {"type": "integer", "minimum": 0, "maximum": count - 1},
            "box_2d": {
                "type": "array",
                "items": coordinate,
                "minItems": 4,
                "maxItems": 4,
                "description": "ymin, xmin, ymax, xmax",
            },
        },
        "required": ["description", "image_index"],
    }
    return {
        "type": "object",
        "properties": {"summary": text, "differences": {"type": "array", "items": difference}},
        "required": ["summary", "differences"],
    }


def read(text: str, sizes: Sequence[tuple[int, int] | None]) -> Comparison:
    """Read the differences, at most 1000, of pictures of these widths and heights in pixels; None where unknown.

    Raises UnreadableAnswerError when there is JSON, but neither a summary nor a list of differences.
    """
    answer = read_json(text)
    value = answer.value
    summary = one_line(value.get("summary"), MAX_TEXT_CHARS) if isinstance(value, dict) else None
    items = [item for item in items_of(value, "differences") if "description" in item]
    is_empty = not value or (isinstance(value, dict) and value.get("differences") == [])
    if summary is None and not items and not is_empty and answer.is_whole:
        raise UnreadableAnswerError("it holds neither a summary nor differences")
    first = _first_index(items, len(sizes))
    differences = [one for item in items if (one := _difference(item, first, sizes)) is not None]
    is_whole = answer.is_whole and len(differences) <= MAX_DIFFERENCES
    return Comparison(summary, tuple(differences[:MAX_DIFFERENCES]), is_whole)


def _first_index(items: Sequence[Mapping[str, object]], count: int) -> int:
    """Tell from where the model counts: from 1, when it names the picture after the last one, and never the first."""
    indices = {_index(item) for item in items}
    return 1 if count in indices and 0 not in indices else 0


def _index(item: Mapping[str, object]) -> int | None:
    number = read_number(item.get("image_index"))
    return int(number) if number is not None and number.is_integer() else None


def _difference(item: Mapping[str, object], first: int, sizes: Sequence[tuple[int, int] | None]) -> Difference | None:
    """Read one difference; None when it says nothing, or is in no picture that there is."""
    description = one_line(item.get("description"), MAX_TEXT_CHARS)
    index = _index(item)
    if description is None or index is None or not 0 <= index - first < len(sizes):
        return None
    size = sizes[index - first]
    box_2d = read_box_2d(item.get("box_2d"))
    box = None if size is None or box_2d is None else in_pixels(box_2d, *size)
    return Difference(description, index - first, box)
