"""Which task a response schema asks for, known by the names of its properties. Knows no media and no answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gemini_emulator.generation.tasks.outline import Outline
from gemini_emulator.schemas.conjunction import Schema


class TaskKind(StrEnum):
    """The kinds of tasks; segmentation is a detection whose items have a mask."""

    DETECTION = "detection"
    CAPTION = "caption"
    COMPARISON = "comparison"
    TRANSCRIPTION = "transcription"
    PAGES = "pages"
    SCENES = "scenes"


_LISTS = {
    "differences": (TaskKind.COMPARISON, ("description", "image_index", "box_2d")),
    "segments": (TaskKind.TRANSCRIPTION, ("start", "end", "text")),
    "pages": (TaskKind.PAGES, ("page", "markdown")),
    "scenes": (TaskKind.SCENES, ("start", "end", "description")),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task and its schema.

    `list_name` is the property that holds the list, "" when the answer is the list itself or has none; `items` is the
    schema of the list's items, of a caption that of the whole answer.
    """

    kind: TaskKind
    root: Outline
    items: Outline
    list_name: str = ""

    def listing(self, items: list[Mapping[str, object]], **about: object) -> object:
        """Put items into the schema's list, beside the other members of the answer."""
        return {**about, self.list_name: items} if self.list_name else items


def recognise(schema: Schema) -> Task | None:
    """Recognise the task of a JSON Schema; None when it is none.

    Raises UnsupportedSchemaError for a malformed schema.
    """
    root = Outline(schema, schema)
    if root.is_array:
        return _detection(root, root, "")
    if root.has("caption", "alt_text"):
        return Task(TaskKind.CAPTION, root, root)
    arrays = [name for name in root.names if root.property(name).is_array]
    for name in arrays:
        kind, wanted = _LISTS.get(name, (None, ()))
        items = root.property(name).items()
        if kind is not None and items.has(*wanted):
            return Task(kind, root, items, name)
    return _detection(root, root.property(arrays[0]), arrays[0]) if len(arrays) == 1 else None


def _detection(root: Outline, array: Outline, name: str) -> Task | None:
    items = array.items()
    return Task(TaskKind.DETECTION, root, items, name) if items.has("box_2d", "label") else None
