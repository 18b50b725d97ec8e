"""From a schema and media to the value that answers a task. It decodes: to be called in a thread."""

from collections.abc import Callable, Mapping, Sequence

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.comparison import compare
from gemini_emulator.generation.tasks.pages import write_pages
from gemini_emulator.generation.tasks.passages import describe_scenes, transcribe
from gemini_emulator.generation.tasks.pictures import caption, detect
from gemini_emulator.generation.tasks.recognition import Task, TaskKind, recognise
from gemini_emulator.schemas.conjunction import Schema
from gemini_emulator.schemas.errors import UnsupportedSchemaError
from gemini_emulator.schemas.validity import is_valid

_Perform = Callable[[Task, Sequence[MediaPart], str], object]
_PERFORMERS: Mapping[TaskKind, _Perform] = {
    TaskKind.DETECTION: detect,
    TaskKind.CAPTION: caption,
    TaskKind.COMPARISON: compare,
    TaskKind.TRANSCRIPTION: transcribe,
    TaskKind.PAGES: write_pages,
    TaskKind.SCENES: describe_scenes,
}


def perform(schema: Schema, media: Sequence[MediaPart], said: str) -> object | None:
    """Answer a task from the perceived media.

    Args:
        schema: the response schema, as JSON Schema.
        media: the prompt's media, in order.
        said: the text of the model's last earlier turn, after which a long answer continues; "" without such a turn.

    Returns:
        A value that satisfies the schema, or None if the schema is no task's or the true value does not satisfy it.

    """
    try:
        task = recognise(schema)
        if task is None:
            return None
        value = task.root.fit(_PERFORMERS[task.kind](task, media, said))
        return value if is_valid(schema, value) else None
    except UnsupportedSchemaError:
        return None
