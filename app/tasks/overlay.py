"""The overlay: an upright picture with the found objects drawn on it, so that a person can judge an answer at a glance.

    picture ── tinted masks ── boxes, the largest first ── plates with labels, in free space ──> PNG

A large picture and its objects are scaled down first. Every label has a colour, the same in every picture unless two
labels clash.
"""

import io
import math
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from app.tasks.boxes import PixelRectangle
from app.tasks.masks import Mask
from app.tasks.pictures import open_upright

# Largest longer side of a drawing, in pixels; larger pictures are scaled down before they are drawn on.
MAX_SIDE = 2560

Colour = tuple[int, int, int]

_COLOURS: tuple[Colour, ...] = (
    (230, 25, 75),
    (0, 130, 200),
    (60, 180, 75),
    (245, 130, 48),
    (145, 30, 180),
    (0, 190, 200),
    (240, 50, 230),
    (255, 215, 0),
    (128, 70, 30),
    (190, 230, 50),
    (0, 0, 160),
    (0, 100, 80),
    (250, 150, 180),
    (128, 128, 0),
    (120, 120, 255),
    (90, 90, 90),
)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (17, 17, 17)
_TINT = [round(value * 0.42) for value in range(256)]
_MAX_PLATE_CHARS = 28
_WIDEST_PLATE = 0.45
_CROWD = 40
_CANDIDATE_ROWS = 4
# Letters that do not decompose into a base letter and an accent, with their spelling.
_SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "đ": "d", "ł": "l", "Ł": "L"})


@dataclass(frozen=True, slots=True)
class Drawn:
    """The parts of an object to draw; without a mask, only its box and label."""

    label: str
    box: PixelRectangle
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class _Plate:
    """The place and text of a label."""

    text: str
    colour: Colour
    x: int
    y: int
    width: int
    height: int


def draw(data: bytes, drawn: Sequence[Drawn], *, max_pixels: int) -> bytes:
    """Return a PNG of the picture with objects drawn on it, as displayed, at most MAX_SIDE on the longer side.

    Boxes and masks are those of the picture in full size. Transparent pixels become white. Raises
    UnreadablePictureError and PictureTooLargeError.
    """
    upright = open_upright(data, max_pixels=max_pixels, max_side=MAX_SIDE)
    picture = _on_white(upright.image)
    places = [_scaled(one.box, upright.full_size, picture.size) for one in drawn]
    colours = _colours(one.label for one in drawn)
    stroke = max(1, round(math.sqrt(picture.width * picture.height) / 320))
    for one, place in zip(drawn, places, strict=True):
        if one.mask is not None:
            _tint(picture, place, _pixels(one.box, one.mask, place), colours[_letters(one.label)], stroke)
    canvas = ImageDraw.Draw(picture)
    # Large boxes first, so that small boxes stay visible on top.
    for one, place in sorted(zip(drawn, places, strict=True), key=lambda pair: -pair[1].width * pair[1].height):
        _outline(canvas, place, colours[_letters(one.label)], stroke)
    font_size = _font_size(picture, len(drawn))
    font = ImageFont.load_default(font_size)
    layout = _Layout(picture.width, picture.height, font, font_size)
    for number, (one, place) in enumerate(zip(drawn, places, strict=True), start=1):
        _write(canvas, layout.place(place, _readable(one.label, number), colours[_letters(one.label)]), font)
    file = io.BytesIO()
    # Photographs are an eighth smaller than with lower levels; higher levels take longer without gain.
    picture.save(file, "PNG", compress_level=4)
    return file.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    paper = Image.new("RGB", picture.size, _WHITE)
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _colours(labels: Iterable[str]) -> dict[str, Colour]:
    """Return a colour per label: the colour chosen by the label's letters, or the next free colour."""
    taken: dict[int, str] = {}
    colours = {}
    for label in sorted({_letters(label) for label in labels}):
        # CRC-32 and not hash(): the colour must be the same in every process.
        first = zlib.crc32(label.encode()) % len(_COLOURS)
        slots = [(first + step) % len(_COLOURS) for step in range(len(_COLOURS))]
        slot = next((slot for slot in slots if slot not in taken), first)
        taken[slot] = label
        colours[label] = _COLOURS[slot]
    return colours


def _letters(label: str) -> str:
    return label.strip().casefold()


def _scaled(box: PixelRectangle, full_size: tuple[int, int], size: tuple[int, int]) -> PixelRectangle:
    """Return a box's place in the drawing, at least one pixel wide and high."""
    x_min, x_max = _scaled_edges(box.x_min, box.x_max, full_size[0], size[0])
    y_min, y_max = _scaled_edges(box.y_min, box.y_max, full_size[1], size[1])
    return PixelRectangle(x_min, y_min, x_max, y_max)


def _scaled_edges(low: int, high: int, full_side: int, side: int) -> tuple[int, int]:
    first = min(round(low * side / full_side), side - 1)
    return first, max(first + 1, round(high * side / full_side))


def _pixels(box: PixelRectangle, mask: Mask, place: PixelRectangle) -> Image.Image:
    """Return the part of a mask inside its box, in the size of its place in the drawing."""
    frame = (box.x_min - mask.x, box.y_min - mask.y, box.x_max - mask.x, box.y_max - mask.y)
    with Image.open(io.BytesIO(mask.png), formats=("PNG",)) as image:
        pixels = image.crop(frame)
    size = (place.width, place.height)
    return pixels if pixels.size == size else pixels.resize(size, Image.Resampling.BOX)


def _tint(picture: Image.Image, box: PixelRectangle, pixels: Image.Image, colour: Colour, stroke: int) -> None:
    """Colour an object's pixels, lightly inside and fully along their edge."""
    picture.paste(colour, (box.x_min, box.y_min), pixels.point(_TINT))
    padded = ImageOps.expand(pixels, stroke)
    inner = pixels
    for x, y in ((0, stroke), (2 * stroke, stroke), (stroke, 0), (stroke, 2 * stroke)):
        inner = ImageChops.darker(inner, padded.crop((x, y, x + pixels.width, y + pixels.height)))
    picture.paste(colour, (box.x_min, box.y_min), ImageChops.subtract(pixels, inner))


def _outline(canvas: ImageDraw.ImageDraw, box: PixelRectangle, colour: Colour, stroke: int) -> None:
    """Draw the edge of a box inside it, with a light rim that shows on a ground of the same colour."""
    stroke = min(stroke, max(1, min(box.width, box.height) // 6))
    edges = (box.x_min, box.y_min, box.x_max - 1, box.y_max - 1)
    if stroke > 1:
        rim = max(1, stroke // 4)
        canvas.rectangle((edges[0] - rim, edges[1] - rim, edges[2] + rim, edges[3] + rim), outline=_WHITE, width=rim)
    canvas.rectangle(edges, outline=colour, width=stroke)


def _font_size(picture: Image.Image, count: int) -> int:
    """Return the font size in pixels: smaller for many objects or small pictures, but readable."""
    side = math.sqrt(picture.width * picture.height)
    crowding = max(0.55, min(1.0, math.sqrt(_CROWD / max(count, 1))))
    return round(max(side / 36 * crowding, min(11.0, max(7.0, side / 20))))


def _readable(label: str, number: int) -> str:
    """Return a label in the letters of the font, or the object's number from 1 if the font has none of its letters."""
    plain = unicodedata.normalize("NFKD", label.translate(_SPELLED))
    letters = "".join(letter for letter in plain if letter.isascii() and letter.isprintable())
    words = " ".join(letters.split())
    if not any(letter.isalnum() for letter in words):
        return f"#{number}"
    return words if len(words) <= _MAX_PLATE_CHARS else f"{words[:_MAX_PLATE_CHARS].rstrip()}…"


class _Layout:
    """Finds places for plates: inside the picture, close to their boxes, without covering each other."""

    def __init__(self, width: int, height: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, size: int) -> None:
        self._width = width
        self._height = height
        self._font = font
        self._pad = max(1, round(size / 4.5))
        self._plate_height = size + 2 * self._pad
        self._placed: list[tuple[int, int, int, int]] = []

    def place(self, box: PixelRectangle, text: str, colour: Colour) -> _Plate:
        """Return the plate of a label, at the place where it covers the least of other plates."""
        text, width = self._fitted(text)
        height = min(self._plate_height, self._height)
        candidates = self._candidates(box, width, height)
        x, y = candidates[int(self._covered(np.array(candidates), width, height).argmin())]
        self._placed.append((x, y, x + width, y + height))
        return _Plate(text, colour, x, y, width, height)

    def _fitted(self, text: str) -> tuple[str, int]:
        """Return a text shortened until its plate is narrow enough, and the plate's width."""
        widest = self._width * _WIDEST_PLATE
        fitted = text
        while self._text_width(fitted) > widest and len(text) > 2:
            text = text[:-1].rstrip()
            fitted = f"{text}…"
        return fitted, min(self._text_width(fitted), self._width)

    def _text_width(self, text: str) -> int:
        return round(self._font.getlength(text)) + 2 * self._pad

    def _candidates(self, box: PixelRectangle, width: int, height: int) -> list[tuple[int, int]]:
        """Return places, the best first: above the box, inside it, below it, then a little further away."""
        left, right = box.x_min, box.x_max - width
        places = [(left, box.y_min - height), (right, box.y_min - height)]
        places += [(left, box.y_min), (right, box.y_min)]
        places += [(left, box.y_max), (right, box.y_max), (left, box.y_max - height), (right, box.y_max - height)]
        for row in range(1, _CANDIDATE_ROWS):
            places += [(left, box.y_min + row * height), (left, box.y_min - (row + 1) * height)]
            places += [(left, box.y_max + row * height), (right, box.y_min + row * height)]
        # A place that must move into the picture would hide the content of the box.
        fitting = [(x, y) for x, y in places if 0 <= y <= self._height - height]
        return [
            (max(0, min(x, self._width - width)), max(0, min(y, self._height - height))) for x, y in fitting or places
        ]

    def _covered(self, candidates: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
        """Return for each place the number of pixels of existing plates that it would cover."""
        if not self._placed:
            return np.zeros(len(candidates), dtype=np.int64)
        placed = np.array(self._placed)
        x, y = candidates[:, :1], candidates[:, 1:]
        wide = np.minimum(x + width, placed[:, 2]) - np.maximum(x, placed[:, 0])
        high = np.minimum(y + height, placed[:, 3]) - np.maximum(y, placed[:, 1])
        covered: NDArray[np.int64] = (wide.clip(0) * high.clip(0)).sum(axis=1)
        return covered


def _write(canvas: ImageDraw.ImageDraw, plate: _Plate, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    right, bottom = plate.x + plate.width - 1, plate.y + plate.height - 1
    canvas.rounded_rectangle((plate.x, plate.y, right, bottom), radius=plate.height // 6, fill=plate.colour)
    middle = (plate.x + plate.width / 2, plate.y + plate.height / 2)
    canvas.text(middle, plate.text, fill=_ink_on(plate.colour), font=font, anchor="mm")


def _ink_on(colour: Colour) -> Colour:
    red, green, blue = colour
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else _WHITE
