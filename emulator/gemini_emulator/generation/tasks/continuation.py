"""Where an earlier answer to the same task stopped, so that the next one goes on behind it. Knows no media."""

from collections.abc import Mapping

import orjson

from gemini_emulator.generation.tasks.recognition import Task


def last_item(task: Task, said: str) -> Mapping[str, object] | None:
    """Return the last item of the model's earlier answer; None if that answer has no JSON of this task."""
    try:
        value: object = orjson.loads(said)
    except orjson.JSONDecodeError:
        return None
    if isinstance(value, dict):
        value = value.get(task.list_name)
    last = value[-1] if isinstance(value, list) and value else None
    return last if isinstance(last, dict) else None
