"""Pictures and masks drawn on the spot, so that every number about them is known."""

import base64
import io
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Shape = Callable[[ImageDraw.ImageDraw, tuple[float, float, float, float]], None]
Bits = NDArray[np.bool_]
SCALE = 8


def ellipse(canvas: ImageDraw.ImageDraw, edges: tuple[float, float, float, float]) -> None:
    canvas.ellipse(edges, fill=255)


def rectangle(canvas: ImageDraw.ImageDraw, edges: tuple[float, float, float, float]) -> None:
    canvas.rectangle(edges, fill=255)


def triangle(canvas: ImageDraw.ImageDraw, edges: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = edges
    canvas.polygon([((left + right) / 2, top), (right, bottom), (left, bottom)], fill=255)


def drawn(shape: Shape, width: int, height: int, edges: tuple[int, int, int, int]) -> Image.Image:
    """Draw a shape between x_min, y_min, x_max and y_max, eight times as large; for `bits` and `probabilities`."""
    canvas = Image.new("L", (width * SCALE, height * SCALE))
    left, top, right, bottom = (edge * SCALE for edge in edges)
    shape(ImageDraw.Draw(canvas), (left, top, right - 1, bottom - 1))
    return canvas


def bits(canvas: Image.Image) -> Bits:
    """Return the pixels whose centres lie in the drawn shape."""
    return np.asarray(canvas)[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE] > 0


def thousandths(width: int, height: int, edges: tuple[int, int, int, int]) -> list[int]:
    """Return the box_2d of x_min, y_min, x_max and y_max, rounded like a model's."""
    x_min, y_min, x_max, y_max = edges
    sides = ((y_min, height), (x_min, width), (y_max, height), (x_max, width))
    return [round(1000 * edge / side) for edge, side in sides]


def probabilities(canvas: Image.Image, box_2d: list[int], size: tuple[int, int] = (256, 256)) -> Image.Image:
    """Return the map of the drawn shape within a box, in a model's format."""
    y_min, x_min, y_max, x_max = box_2d
    edges = (
        x_min * canvas.width / 1000,
        y_min * canvas.height / 1000,
        x_max * canvas.width / 1000,
        y_max * canvas.height / 1000,
    )
    return canvas.resize(size, Image.Resampling.BOX, box=edges)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def data_url(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encoded(image)).decode()}"


def answer(*items: object) -> str:
    return json.dumps(items)


def overlap(one: Bits, other: Bits) -> float:
    """Return the intersection of two masks over their union."""
    return float((one & other).sum() / (one | other).sum())
