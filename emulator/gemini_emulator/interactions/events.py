r"""The stream of an interaction: its events at once, and its events once the answer is complete (surfaces reference).

event: NAME\ndata: {JSON}\n\n ... event: done\ndata: [DONE]\n\n
"""

from collections.abc import Iterator

import orjson

from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.interactions.memory import Interaction

_PIECE_CHARS = 40
_MAX_PIECES = 200
_ID_PREFIX = "event-"
DONE = b"event: done\ndata: [DONE]\n\n"
Event = dict[str, object]


def opening(interaction: Interaction) -> list[Event]:
    """Return the events before the answer."""
    shown = {
        "id": interaction.interaction_id,
        "status": "in_progress",
        "object": "interaction",
        "model": interaction.model,
    }
    update = {"interaction_id": interaction.interaction_id, "status": "in_progress"}
    return [
        {"interaction": shown, "event_type": "interaction.created"},
        {**update, "event_type": "interaction.status_update"},
    ]


def answering(interaction: Interaction) -> list[Event]:
    """Return the events of the answer, or the event of its cancellation."""
    if interaction.cancelled_at is not None:
        update = {"interaction_id": interaction.interaction_id, "status": "cancelled"}
        return [{**update, "event_type": "interaction.status_update"}]
    events: list[Event] = []
    for index, step in enumerate(interaction.steps):
        start, deltas = _split(dict(step))
        events.append({"index": index, "step": start, "event_type": "step.start"})
        events += [{"index": index, "delta": delta, "event_type": "step.delta"} for delta in deltas]
        events.append({"index": index, "event_type": "step.stop"})
    shown = {
        "id": interaction.interaction_id,
        "status": interaction.outcome,
        "object": "interaction",
        "model": interaction.model,
        "usage": interaction.usage,
    }
    return [*events, {"interaction": shown, "event_type": "interaction.completed"}]


def frame(event: Event, position: int) -> bytes:
    """Write an event, with the id that a stream is resumed from."""
    name = str(event["event_type"]).encode()
    return b"event: %b\ndata: %b\n\n" % (name, orjson.dumps({**event, "event_id": f"{_ID_PREFIX}{position}"}))


def error_frame(failure: ApiFailureError) -> bytes:
    """Write an error inside a stream."""
    return b"event: error\ndata: %b\n\n" % orjson.dumps({"event_type": "error", **failure.interaction_body()})


def position_after(event_id: str) -> int:
    """Return the position after an event, 0 for "". Raises ApiFailureError for an unknown event."""
    if not event_id:
        return 0
    number = event_id.removeprefix(_ID_PREFIX)
    if not event_id.startswith(_ID_PREFIX) or not number.isdecimal():
        raise invalid(f"last_event_id: there is no event {event_id!r}.")
    return int(number) + 1


def _split(step: Event) -> tuple[Event, list[Event]]:
    match step["type"]:
        case "thought":
            summary = step.get("summary")
            said = [{"type": "thought_summary", "content": one} for one in summary] if isinstance(summary, list) else []
            return {"type": "thought"}, [*said, {"type": "thought_signature", "signature": step["signature"]}]
        case "function_call":
            written = orjson.dumps(step["arguments"]).decode()
            pieces: list[Event] = [{"type": "arguments_delta", "arguments": piece} for piece in _pieces(written)]
            return {**step, "arguments": {}}, pieces
        case _:
            content = step["content"]
            text = content[0]["text"] if isinstance(content, list) else ""
            return {"type": "model_output"}, [{"type": "text", "text": piece} for piece in _pieces(text)]


def _pieces(text: str) -> Iterator[str]:
    size = max(_PIECE_CHARS, -(-len(text) // _MAX_PIECES))
    return (text[start : start + size] for start in range(0, len(text), size))
