"""Boxes: from a model's `box_2d` (ymin, xmin, ymax, xmax in thousandths of height and width) to pixels.

[ymin, xmin, ymax, xmax] ── read ──> Box2d, clipped, still fractional ── in_pixels ──> PixelRectangle
"""

import math
from dataclasses import dataclass

SCALE = 1000
_MAX_DIGITS = 32

# ymin, xmin, ymax, xmax, each from 0 to 1000; each minimum is less than its maximum. Gemini's guides put y first, and
# the order is never guessed.
Box2d = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PixelRectangle:
    """A box in pixels of the picture as displayed, from its top left; x_max and y_max lie just outside."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def width(self) -> int:
        """Return the width in pixels."""
        return self.x_max - self.x_min

    @property
    def height(self) -> int:
        """Return the height in pixels."""
        return self.y_max - self.y_min


def read_number(value: object) -> float | None:
    """Return a finite number, also from a text that contains only a number; None for anything else."""
    # bool is a subclass of int, but true is not a number.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    # float() is slow on long texts.
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_box_2d(value: object) -> Box2d | None:
    """Return a model's `box_2d`, clipped to 0 to 1000; None unless it has four numbers and an area."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    y_min, x_min, y_max, x_max = (read_number(one) for one in value)
    if y_min is None or x_min is None or y_max is None or x_max is None:
        return None
    y_min, x_min, y_max, x_max = (_clipped(one) for one in (y_min, x_min, y_max, x_max))
    return (y_min, x_min, y_max, x_max) if y_min < y_max and x_min < x_max else None


def in_pixels(box_2d: Box2d, width: int, height: int) -> PixelRectangle | None:
    """Return a box in pixels of a picture of this size, with rounded edges; None if no pixel remains."""
    y_min, x_min, y_max, x_max = box_2d
    box = PixelRectangle(
        x_min=_rounded(x_min * width / SCALE),
        y_min=_rounded(y_min * height / SCALE),
        x_max=_rounded(x_max * width / SCALE),
        y_max=_rounded(y_max * height / SCALE),
    )
    return box if box.width > 0 and box.height > 0 else None


def in_thousandths(box_2d: Box2d) -> tuple[int, int, int, int]:
    """Return a box in whole thousandths: ymin, xmin, ymax, xmax."""
    y_min, x_min, y_max, x_max = box_2d
    return _rounded(y_min), _rounded(x_min), _rounded(y_max), _rounded(x_max)


def _clipped(number: float) -> float:
    return min(max(number, 0.0), float(SCALE))


def _rounded(number: float) -> int:
    # Every half is rounded up, so that adjacent boxes stay adjacent.
    return math.floor(number + 0.5)
