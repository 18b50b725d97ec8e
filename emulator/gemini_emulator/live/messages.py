"""Frames of a Live session: read in either spelling, written with two spaces, as real ones are.

setup | client_content | realtime_input | tool_response      setupComplete | serverContent | toolCall | ...
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from gemini_emulator.failures import invalid

Json = dict[str, object]
KINDS = ("setup", "clientContent", "realtimeInput", "toolResponse")


@dataclass(frozen=True, slots=True)
class Frame:
    """A client's message: which of the four it is, and its fields, their names folded."""

    kind: str
    fields: Mapping[str, object]


def fold(name: str) -> str:
    """Fold a name: without underscores, in lower case."""
    return name.replace("_", "").lower()


def read_frame(data: bytes) -> Frame:
    """Read a frame. Raises ApiFailureError for an invalid frame."""
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise invalid("Request contains an invalid argument: the frame is not JSON.") from error
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise invalid("A message has exactly one of setup, client_content, realtime_input, tool_response.")
    [(name, value)] = parsed.items()
    kind = next((kind for kind in KINDS if fold(kind) == fold(name)), None)
    if kind is None or not isinstance(value, dict):
        raise invalid(f'Invalid JSON payload received. Unknown name "{str(name)[:60]}".')
    return Frame(kind, {fold(key): each for key, each in value.items()})


def write_frame(message: Mapping[str, object]) -> bytes:
    """Write a server's message."""
    return orjson.dumps(message, option=orjson.OPT_INDENT_2)


def objects(value: object) -> list[Json]:
    """Return the objects of a list; a single object counts as a list of one."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def mapping(value: object) -> Mapping[str, object]:
    """Return an object with its names folded; any other value becomes an empty object."""
    return {fold(name): each for name, each in value.items()} if isinstance(value, dict) else {}
