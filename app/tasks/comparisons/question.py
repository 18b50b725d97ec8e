"""Comparisons: the prompt for the differences of several pictures, and the reading of the answer.

Pictures are identified by their index from 0, which the model sees before each picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.tasks.boxes import PixelRectangle, in_pixels, read_box_2d, read_number
from app.tasks.lenient_json import UnreadableAnswerError, items_of, read_json
from app.tasks.task import Question
from app.tasks.wording import one_line, paragraphs, wish

MAX_DIFFERENCES = 1_000
MAX_TEXT_CHARS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference, the index from 0 of the picture that shows it, and its box there; None without a single place."""

    description: str
    image_index: int
    box: PixelRectangle | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences of several pictures."""

    summary: str | None
    differences: tuple[Difference, ...]
    is_whole: bool


def question(count: int, prompt: str | None, language: str | None) -> Question:
    """Return the question for `count` pictures; `prompt` holds the client's additional instructions."""
    instruction = paragraphs(
        (
            f"Compare these {count} pictures. Each picture is preceded by its number, from 0 to {count - 1}.",
            "summary describes in one to three sentences the common content of the pictures and their differences.",
            "differences lists each visible difference, the most important first, at most 50. Ignore noise, "
            "compression, and small shifts of the whole picture. If the pictures do not differ, the list is empty.",
            "description describes the difference in one sentence, and names the pictures that differ.",
            "image_index is the number of the picture that shows the difference best. If an object is missing from one "
            "picture, image_index is the number of a picture that contains the object.",
            "box_2d is the place of the difference in that picture: [ymin, xmin, ymax, xmax], whole numbers from 0 to "
            "1000, y before x, measured from the picture's own top left corner, where 1000 is its whole height for y "
            "and its whole width for x. If a difference has no single place, omit box_2d.",
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
    """Return the differences in an answer, at most 1000.

    `sizes` holds the width and height of each picture in pixels, None if unknown. Raises UnreadableAnswerError if the
    answer is JSON with neither a summary nor a list of differences.
    """
    answer = read_json(text)
    value = answer.value
    summary = one_line(value.get("summary"), MAX_TEXT_CHARS) if isinstance(value, dict) else None
    items = [item for item in items_of(value, "differences") if "description" in item]
    is_empty = not value or (isinstance(value, dict) and value.get("differences") == [])
    # A cut answer may end before the summary, and is then empty instead of unreadable.
    if summary is None and not items and not is_empty and answer.is_whole:
        raise UnreadableAnswerError("it contains neither a summary nor differences")
    first = _first_index(items, len(sizes))
    differences = [found for item in items if (found := _difference(item, first, sizes)) is not None]
    is_whole = answer.is_whole and len(differences) <= MAX_DIFFERENCES
    return Comparison(summary, tuple(differences[:MAX_DIFFERENCES]), is_whole)


def _first_index(items: Sequence[Mapping[str, object]], count: int) -> int:
    """Return the index that the model gives the first picture, 0 or 1."""
    # Some models count from 1 although the prompt counts from 0. An index behind the last picture shows it.
    indices = {_index(item) for item in items}
    return 1 if count in indices and 0 not in indices else 0


def _index(item: Mapping[str, object]) -> int | None:
    number = read_number(item.get("image_index"))
    return int(number) if number is not None and number.is_integer() else None


def _difference(item: Mapping[str, object], first: int, sizes: Sequence[tuple[int, int] | None]) -> Difference | None:
    """Return a difference; None if the item has no description or names no existing picture."""
    description = one_line(item.get("description"), MAX_TEXT_CHARS)
    index = _index(item)
    if description is None or index is None or not 0 <= index - first < len(sizes):
        return None
    size = sizes[index - first]
    box_2d = read_box_2d(item.get("box_2d"))
    box = None if size is None or box_2d is None else in_pixels(box_2d, *size)
    return Difference(description, index - first, box)
