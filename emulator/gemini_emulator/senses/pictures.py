"""The content of a picture: its size as displayed and its coloured shapes, with true boxes and masks.

    bytes -> upright RGB pixels -> map of flat colours -> connected regions -> shapes

Made for pictures of flat colours, also after lossy compression, so that a test that drew them can check every number.
Of a photograph only the size and the large flat areas are found. Knows nothing of prompts and answers.
"""

import io
from dataclasses import dataclass

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gemini_emulator.senses.colours import Pixels, compared, encode, flat_colours, name_of, nearest
from gemini_emulator.senses.outlines import Kind, kind_of
from gemini_emulator.senses.regions import ClassMap, Regions, count_runs, find_regions
from gemini_emulator.senses.unreadable import PictureTooLargeError, UnreadableMediaError

MAX_PIXELS = 100_000_000
_MAX_SHAPES = 64
_MAX_RUNS = 400_000
_RIM_WIDTH = 4
_UNDECIDED = 255
_FAR_AWAY = 1e4

Box = tuple[int, int, int, int]
"""x_min, y_min, x_max, y_max in pixels of the picture as displayed, half-open."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One connected area of one colour; `mask` has the size of `box` and is True where the colour is."""

    colour: str
    kind: Kind
    box: Box
    mask: NDArray[np.bool_]

    @property
    def label(self) -> str:
        """Colour and kind, such as "red rectangle"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture's size as displayed, in pixels, and its shapes from top to bottom."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


def see_picture(data: bytes) -> Picture:
    """Look at a picture: PNG, JPEG, WebP, HEIC, HEIF, AVIF, GIF (first frame), BMP or TIFF.

    Raises:
        UnreadableMediaError: when it cannot be decoded, or has more than 100 million pixels.

    """
    pixels = _decode(data)
    height, width = pixels.shape[:2]
    return Picture(width=width, height=height, shapes=_shapes(pixels))


def picture_size(data: bytes) -> tuple[int, int]:
    """Read width and height as displayed, from the headers alone.

    Raises:
        UnreadableMediaError: when the bytes are no picture.

    """
    try:
        with _open(data) as image:
            width, height = image.size
            is_sideways = image.getexif().get(0x0112) in {5, 6, 7, 8}
    except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
        raise UnreadableMediaError(str(error)) from error
    return (height, width) if is_sideways else (width, height)


def _open(data: bytes) -> Image.Image:
    if not pillow_heif.is_supported(data):
        return Image.open(io.BytesIO(data))
    # Its size is known before any pixel is decoded; orientation is part of the format and already applied.
    heif = pillow_heif.open_heif(data)
    _refuse_if_huge(heif.size)
    return heif.to_pillow()


def _refuse_if_huge(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise PictureTooLargeError(f"{size[0]}x{size[1]} is too large to look at: more than 100 megapixels")


def _decode(data: bytes) -> Pixels:
    try:
        with _open(data) as image:
            _refuse_if_huge(image.size)
            upright = ImageOps.exif_transpose(image)
            return np.asarray(_on_white(upright))
    except UnreadableMediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLargeError("too large to look at: more than 100 megapixels") from error
    except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
        raise UnreadableMediaError(str(error)) from error


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _shapes(pixels: Pixels) -> tuple[Shape, ...]:
    codes = encode(pixels)
    colours = flat_colours(codes)
    classes = nearest(codes, colours)
    if count_runs(classes) > _MAX_RUNS:
        return ()  # Noise or foliage: no flat shapes to tell apart.
    regions = find_regions(classes)
    kept = np.unique(regions.region_class[_is_solid(regions, classes.size)])
    if 0 < len(kept) < len(colours):
        # The other colours are those of blurred edges only: their pixels belong to what they blur.
        colours = colours[kept]
        classes = nearest(codes, colours)
        regions = find_regions(classes)
    background = _background(classes)
    _dissolve_rims(pixels, classes, colours, regions, background)
    regions = find_regions(classes)
    is_shape = _is_solid(regions, classes.size) & (regions.region_class != background)
    chosen = np.flatnonzero(is_shape)
    largest = chosen[np.argsort(-regions.area[chosen], kind="stable")][:_MAX_SHAPES]
    shapes = [_shape(regions, int(region), colours) for region in largest]
    return tuple(sorted(shapes, key=lambda shape: (shape.box[1], shape.box[0])))


def _shape(regions: Regions, region: int, colours: NDArray[np.float32]) -> Shape:
    mask = regions.mask_of(region)
    box = (
        int(regions.x_min[region]),
        int(regions.y_min[region]),
        int(regions.x_max[region]),
        int(regions.y_max[region]),
    )
    colour = name_of(colours[int(regions.region_class[region])])
    return Shape(colour=colour, kind=kind_of(mask), box=box, mask=mask)


def _background(classes: ClassMap) -> int:
    """Return the class of most pixels of the picture's border."""
    border = np.concatenate([classes[0], classes[-1], classes[:, 0], classes[:, -1]])
    return int(np.bincount(border).argmax())


def _is_solid(regions: Regions, pixel_count: int) -> NDArray[np.bool_]:
    solid: NDArray[np.bool_] = regions.has_core & (regions.area >= max(40, pixel_count // 20_000))
    return solid


def _dissolve_rims(
    pixels: Pixels, classes: ClassMap, colours: NDArray[np.float32], regions: Regions, background: int
) -> None:
    """Assign the pixels of thin or tiny regions, in place, to the neighbour with the nearest colour.

    Where black meets white, compression and smoothing leave grey; if grey is also a colour of the picture, that rim
    would be taken for a shape, and be missing from the black one.
    """
    is_rim = ~_is_solid(regions, classes.size) & (regions.region_class != background)
    rows, columns = regions.pixels_of(is_rim)
    classes[rows, columns] = background
    if len(rows) > classes.size // 8:
        return
    padded = np.pad(classes, 1, constant_values=_UNDECIDED)
    padded[rows + 1, columns + 1] = _UNDECIDED
    palette = np.full((_UNDECIDED + 1, 3), _FAR_AWAY, dtype=np.float32)
    palette[: len(colours)] = compared(colours)
    for _ in range(_RIM_WIDTH):
        own = compared(pixels[rows, columns].astype(np.float32))
        around = np.stack([padded[rows + 1 + dy, columns + 1 + dx] for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))])
        distances = ((palette[around] - own) ** 2).sum(axis=2)
        best = np.take_along_axis(around, distances.argmin(axis=0)[None], axis=0)[0]
        decided = best != _UNDECIDED
        padded[rows[decided] + 1, columns[decided] + 1] = best[decided]
        classes[rows[decided], columns[decided]] = best[decided]
        rows, columns = rows[~decided], columns[~decided]
