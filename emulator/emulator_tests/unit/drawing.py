"""Pictures of known shapes, drawn for tests, in any format and stored in any orientation."""

import io
from dataclasses import dataclass

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageDraw

PALETTE = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "brown": (139, 69, 19),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
}
KINDS = ("rectangle", "ellipse", "triangle")
LOSSY_FORMATS = ("JPEG", "WEBP", "HEIF")
FORMATS = ("PNG", *LOSSY_FORMATS)
MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "HEIF": "image/heic"}

# What must be done to the displayed picture so that the orientation, applied, gives it back.
_STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True, eq=False)
class DrawnShape:
    """One drawn shape and its pixels in the whole picture."""

    label: str
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A picture as displayed, and the shapes drawn on it."""

    image: Image.Image
    shapes: tuple[DrawnShape, ...]


def draw(seed: int, *, cell: int = 120, columns: int = 3, rows: int = 2, colours: tuple[str, ...] = ()) -> Drawing:
    """Draw one shape into each cell of a grid, of random size, place, kind and colour, with room between them."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (cell * columns + int(rng.integers(0, 7)), cell * rows + int(rng.integers(0, 7))), "white")
    palette = colours or tuple(PALETTE)
    shapes = [
        _draw_one(image, rng, (column * cell, row * cell), cell, palette)
        for row in range(rows)
        for column in range(columns)
    ]
    return Drawing(image=image, shapes=tuple(shapes))


def _draw_one(
    image: Image.Image, rng: np.random.Generator, origin: tuple[int, int], cell: int, palette: tuple[str, ...]
) -> DrawnShape:
    colour, kind = str(rng.choice(palette)), str(rng.choice(KINDS))
    width, height = (int(side) for side in rng.integers(cell // 3, cell - 12, size=2))
    left = origin[0] + int(rng.integers(4, cell - width - 4))
    top = origin[1] + int(rng.integers(4, cell - height - 4))
    right, bottom = left + width - 1, top + height - 1
    stencil = Image.new("L", image.size)
    pen = ImageDraw.Draw(stencil)
    if kind == "rectangle":
        pen.rectangle((left, top, right, bottom), fill=255)
    elif kind == "ellipse":
        pen.ellipse((left, top, right, bottom), fill=255)
    else:
        apex = int(rng.integers(left, right + 1))
        pen.polygon([(left, bottom), (right, bottom), (apex, top)], fill=255)
    image.paste(PALETTE[colour], mask=stencil)
    box = stencil.getbbox()
    assert box is not None
    return DrawnShape(label=f"{colour} {kind}", box=box, mask=np.asarray(stencil) > 0)


def save(image: Image.Image, image_format: str, *, orientation: int = 1, quality: int = 90) -> bytes:
    """Encode a displayed picture, stored as the EXIF orientation says; HEIF turns it into its own transformation."""
    transposition = _STORED_AS[orientation]
    stored = image if transposition is None else image.transpose(transposition)
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    out = io.BytesIO()
    if image_format == "HEIF":
        heif = pillow_heif.from_pillow(stored)
        heif.info["exif"] = exif.tobytes()
        heif.save(out, quality=quality)
    else:
        stored.save(out, image_format, quality=quality, exif=exif.tobytes())
    return out.getvalue()
