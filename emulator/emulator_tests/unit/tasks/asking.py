"""Schemas of the tasks as clients write them, media as prompts hold them, and the question put to both."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.performing import perform
from gemini_emulator.proto.blobs import Blob
from gemini_emulator.schemas.validity import is_valid

MEDIA = Path(__file__).parents[4] / "tests" / "media"
TRUTH: dict[str, Any] = json.loads((MEDIA / "truth.json").read_text())
Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NULLABLE_TEXT: Json = {"type": ["string", "null"]}
BOX: Json = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": 1000},
    "minItems": 4,
    "maxItems": 4,
}


def object_of(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    """Make an object's schema whose properties are required but for those named."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def list_of(items: Json) -> Json:
    """Make an array's schema."""
    return {"type": "array", "items": items}


DETECTION = list_of(object_of({"box_2d": BOX, "label": TEXT}))
SEGMENTATION = list_of(object_of({"box_2d": BOX, "mask": TEXT, "label": TEXT}))
CAPTION = object_of({"caption": TEXT, "alt_text": TEXT, "tags": list_of(TEXT)})
DIFFERENCE = object_of({"description": TEXT, "image_index": {"type": "integer"}, "box_2d": BOX}, optional=("box_2d",))
COMPARISON = object_of({"summary": TEXT, "differences": list_of(DIFFERENCE)})
SEGMENT = {"start": TEXT, "end": TEXT, "speaker": NULLABLE_TEXT, "text": TEXT}
TRANSCRIPTION = object_of({"language": TEXT, "segments": list_of(object_of(SEGMENT))})
SCENES = object_of({"scenes": list_of(object_of({"start": TEXT, "end": TEXT, "description": TEXT}))})
PAGES = object_of({"pages": list_of(object_of({"page": {"type": "integer"}, "markdown": TEXT}))})


def labelled(*labels: str) -> Json:
    """Make the schema of a detection that wants these labels only."""
    return list_of(object_of({"box_2d": BOX, "label": {**TEXT, "enum": list(labels)}}))


def part(data: bytes, mime_type: str, *, start: float | None = None, end: float | None = None) -> MediaPart:
    """Make a medium of bytes."""
    return MediaPart(1, mime_type, blob=Blob(data), start=start, end=end)


def file_part(name: str, mime_type: str, *, start: float | None = None, end: float | None = None) -> MediaPart:
    """Make a medium of one of the media files."""
    return part((MEDIA / name).read_bytes(), mime_type, start=start, end=end)


def ask(schema: Json, *media: MediaPart, said: object = None) -> Any:
    """Ask for a task, after an earlier answer given as a value. The answer satisfies the schema."""
    value = perform(schema, media, "" if said is None else json.dumps(said))
    assert is_valid(schema, value)
    return value


def read_mask(url: str, box_2d: list[int], width: int, height: int) -> NDArray[np.bool_]:
    """Read a mask as clients do, onto the whole picture.

    Its edges are those of the box, in fractions of pixels; it is sampled between its own pixels at the centres of the
    picture's, and counts where it is brighter than 127.
    """
    prefix = "data:image/png;base64,"
    assert url.startswith(prefix)
    with Image.open(io.BytesIO(base64.b64decode(url.removeprefix(prefix), validate=True))) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        values = np.asarray(image).astype(np.float64)
    top, bottom = (box_2d[n] * height / 1000 for n in (0, 2))
    left, right = (box_2d[n] * width / 1000 for n in (1, 3))
    rows = np.arange(round(top), round(bottom), dtype=np.float64)
    columns = np.arange(round(left), round(right), dtype=np.float64)
    values = _interpolated(values, (rows + 0.5 - top) / (bottom - top))
    values = _interpolated(values.T, (columns + 0.5 - left) / (right - left)).T
    whole = np.zeros((height, width), dtype=np.bool_)
    whole[round(top) : round(bottom), round(left) : round(right)] = values > 127
    return whole


def _interpolated(values: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between rows, at fractions of the whole height; beyond the outermost centres nothing changes."""
    last = len(values) - 1
    positions = np.clip(fractions * len(values) - 0.5, 0, last)
    below = np.minimum(positions.astype(np.int64), max(0, last - 1))
    weight = (positions - below)[:, None]
    mixed: NDArray[np.float64] = values[below] * (1 - weight) + values[np.minimum(below + 1, last)] * weight
    return mixed


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Measure intersection over union."""
    return float((one & other).sum() / (one | other).sum())
