"""Boxes as Gemini writes them: [ymin, xmin, ymax, xmax] in thousandths of the picture as displayed.

Works in whole numbers, so that no edge depends on how a division was rounded. Knows nothing of a box's content.
"""

from gemini_emulator.senses.pictures import Box

Box2d = tuple[int, int, int, int]
"""ymin, xmin, ymax, xmax, each from 0 to 1000."""

_THOUSANDTHS = 1_000


def nearest_box(box: Box, width: int, height: int) -> Box2d:
    """Round a box of pixels to thousandths; one that would have no area is widened to hold all of its pixels."""
    x_min, x_max = _nearest(box[0], box[2], width)
    y_min, y_max = _nearest(box[1], box[3], height)
    return y_min, x_min, y_max, x_max


def covering_box(box: Box, width: int, height: int) -> Box2d:
    """Round a box of pixels to thousandths that hold the centre of each of its pixels, so that no pixel is lost."""
    x_min, x_max = _covering(box[0], box[2], width)
    y_min, y_max = _covering(box[1], box[3], height)
    return y_min, x_min, y_max, x_max


def _nearest(low: int, high: int, side: int) -> tuple[int, int]:
    start, end = round(low * _THOUSANDTHS / side), round(high * _THOUSANDTHS / side)
    return (start, end) if start < end else _outward(low, high, side)


def _covering(low: int, high: int, side: int) -> tuple[int, int]:
    start, end = _nearest(low, high, side)
    outer_start, outer_end = _outward(low, high, side)
    half = _THOUSANDTHS // 2
    loses_first = start * side - low * _THOUSANDTHS >= half
    loses_last = high * _THOUSANDTHS - end * side >= half
    return outer_start if loses_first else start, outer_end if loses_last else end


def _outward(low: int, high: int, side: int) -> tuple[int, int]:
    return low * _THOUSANDTHS // side, -(-high * _THOUSANDTHS // side)
