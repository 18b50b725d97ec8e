"""Masks as Gemini writes them: grey PNGs of probabilities, laid over a box of thousandths.

    true mask on its pixels -> resampled to the box's fractional edges -> PNG -> data URL

Scaling the PNG to those edges, and keeping the pixels brighter than half, restores the true mask.
"""

import base64
import io
import math

import numpy as np
from PIL import Image

from gemini_emulator.generation.tasks.boxes import Box2d
from gemini_emulator.senses.pictures import Shape

_LONGEST_SIDE = 1_024


def mask_url(shape: Shape, box: Box2d, width: int, height: int) -> str:
    """Draw a shape's mask over a box of thousandths of a picture; the size is the picture's, in pixels."""
    left, top = box[1] * width / 1_000 - shape.box[0], box[0] * height / 1_000 - shape.box[1]
    right, bottom = box[3] * width / 1_000 - shape.box[0], box[2] * height / 1_000 - shape.box[1]
    rows, columns = shape.mask.shape
    # Edges of the box lie up to a thousandth beside those of the pixels, on either side.
    margin = 1 + math.ceil(max(0.0, -left, -top, right - columns, bottom - rows))
    room = Image.fromarray(np.pad(shape.mask.astype(np.uint8) * 255, margin))
    size = (_side(right - left), _side(bottom - top))
    edges = (left + margin, top + margin, right + margin, bottom + margin)
    out = io.BytesIO()
    room.resize(size, Image.Resampling.BILINEAR, box=edges).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def _side(pixels: float) -> int:
    return min(max(1, round(pixels)), _LONGEST_SIDE)
