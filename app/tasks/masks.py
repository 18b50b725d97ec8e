"""Masks: from a model's description of an object's pixels to a PNG, white on the object.

    base64 PNG of probabilities, stretched over box_2d ──┐
    outline of points in thousandths of the picture ─────┴──> pixels of the box ── cut ──> Mask

The edges of a mask are those of `box_2d` before rounding, so the mask is sampled at the centres of the picture's
pixels.
"""

import binascii
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from app.tasks.boxes import SCALE, Box2d, PixelRectangle, read_number
from app.tasks.pictures import PictureTooLargeError, UnreadablePictureError, decode_upright, in_eight_bits

# Larger maps are refused before their pixels are decoded.
MAX_MASK_PIXELS = 4096 * 4096
MAX_MASK_CHARS = 16_777_216
MAX_POINTS = 2_000
THRESHOLD = 127
_WHITE = 255
# A centre on the right or lower edge counts as inside, as it does when the box is rounded.
_INSIDE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Mask:
    """An object's pixels: a PNG of 8 bit grey, 255 on the object and 0 elsewhere.

    x, y, width and height give its place in the picture, in pixels; `area` is the number of white pixels.
    """

    png: bytes
    x: int
    y: int
    width: int
    height: int
    area: int


def decode_probabilities(text: str) -> Image.Image | None:
    """Return a mask, sent as a data URL or bare base64 of a picture, in grey; None if it cannot be decoded."""
    _, _, encoded = text.rpartition(",")
    if len(encoded) > MAX_MASK_CHARS:
        return None
    try:
        # Models write line breaks, URL-safe letters, or no padding.
        letters = "".join(encoded.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
        data = binascii.a2b_base64(letters + "=" * (-len(letters) % 4))
        return _grey(decode_upright(data, max_pixels=MAX_MASK_PIXELS))
    except (ValueError, UnreadablePictureError, PictureTooLargeError):
        return None


def _grey(image: Image.Image) -> Image.Image:
    image = in_eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("L")
    layer = image.convert("LA")
    grey, opacity = layer.getchannel("L"), layer.getchannel("A")
    seen = ImageChops.multiply(grey, opacity)
    # A mask may also be black on a transparent ground.
    return seen if seen.getbbox() else opacity


def from_probabilities(
    probabilities: Image.Image, box_2d: Box2d, box: PixelRectangle, width: int, height: int
) -> Image.Image:
    """Return the pixels of `box`, 255 or 0, from a map that covers `box_2d` of a picture of this size."""
    left, top = box_2d[1] * width / SCALE, box_2d[0] * height / SCALE
    x_scale = probabilities.width / ((box_2d[3] - box_2d[1]) * width / SCALE) * _INSIDE
    y_scale = probabilities.height / ((box_2d[2] - box_2d[0]) * height / SCALE) * _INSIDE
    to_map = (x_scale, 0.0, (box.x_min - left) * x_scale, 0.0, y_scale, (box.y_min - top) * y_scale)
    size = (box.width, box.height)
    # In floating point, because Pillow rounds down between integers, which turns 128 into 127.
    stretched = probabilities.convert("F").transform(size, Image.Transform.AFFINE, to_map, Image.Resampling.BILINEAR)
    return Image.fromarray((np.asarray(stretched) > THRESHOLD).astype(np.uint8) * np.uint8(_WHITE))


def read_outline(value: object) -> list[tuple[float, float]] | None:
    """Return a list of points, given as y, x in thousandths, as (x, y); None for fewer than three valid points."""
    if not isinstance(value, list) or not 3 <= len(value) <= MAX_POINTS:
        return None
    points = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        y, x = read_number(pair[0]), read_number(pair[1])
        if y is None or x is None:
            return None
        points.append((min(max(x, 0.0), SCALE), min(max(y, 0.0), SCALE)))
    return points


def from_outline(points: Sequence[tuple[float, float]], box: PixelRectangle, width: int, height: int) -> Image.Image:
    """Return the pixels of `box`, 255 if their centres are inside an outline (by the even-odd rule), else 0."""
    crossings = np.zeros((box.height, box.width + 1), dtype=np.uint8)
    outline = [(x * width / SCALE - box.x_min, y * height / SCALE - box.y_min) for x, y in points]
    for (x_1, y_1), (x_2, y_2) in zip(outline, [*outline[1:], outline[0]], strict=True):
        first, last = (math.ceil(min(max(y, 0.0), box.height) - 0.5) for y in sorted((y_1, y_2)))
        rows = np.arange(first, last)
        if len(rows) == 0:
            continue
        x = x_1 + (rows + 0.5 - y_1) * ((x_2 - x_1) / (y_2 - y_1))
        # All pixels from this column to the right are beyond one more edge.
        columns = np.clip(np.ceil(x - 0.5), 0, box.width).astype(np.intp)
        crossings[rows, columns] ^= _WHITE
    return Image.fromarray(np.bitwise_xor.accumulate(crossings, axis=1)[:, :-1])


def finish(pixels: Image.Image, box: PixelRectangle, full_size: tuple[int, int] | None) -> Mask | None:
    """Return the pixels of a box as a mask, on a picture of `full_size` if given; None if no pixel is white."""
    area = pixels.histogram()[_WHITE]
    if area == 0:
        return None
    x, y = box.x_min, box.y_min
    if full_size is not None:
        whole = Image.new("L", full_size)
        whole.paste(pixels, (x, y))
        pixels, x, y = whole, 0, 0
    file = io.BytesIO()
    pixels.save(file, "PNG")
    return Mask(file.getvalue(), x, y, pixels.width, pixels.height, area)
