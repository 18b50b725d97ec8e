"""Classifies the figure of a mask: rectangle, ellipse, triangle, or another figure. Knows masks only."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["rectangle", "ellipse", "triangle", "shape"]

_SAMPLES = 256
_MAX_DEVIATION = 0.2


def kind_of(mask: NDArray[np.bool_]) -> Kind:
    """Name the figure that fills the mask's box best.

    Args:
        mask: the figure's pixels, cropped to its box; it may stand upright or be a triangle of any orientation.

    Returns:
        The nearest of three figures, or "shape" when the mask deviates by more than a fifth from all of them.

    """
    step = -(-max(mask.shape) // _SAMPLES)
    sample = mask[::step, ::step]
    deviations: dict[Kind, float] = {
        "rectangle": 1.0 - float(sample.mean()),
        "ellipse": 1.0 - _overlap(sample, _ellipse(sample.shape[0], sample.shape[1])),
        "triangle": abs(1.0 - _triangle_area(sample) / max(1.0, float(sample.sum()))),
    }
    best = min(deviations, key=lambda kind: deviations[kind])
    return best if deviations[best] <= _MAX_DEVIATION else "shape"


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum()) / max(1.0, float((one | other).sum()))


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    y = (np.arange(height) + 0.5) / height * 2 - 1
    x = (np.arange(width) + 0.5) / width * 2 - 1
    inside: NDArray[np.bool_] = (y[:, None] ** 2 + x[None, :] ** 2) <= 1.0
    return inside


def _triangle_area(mask: NDArray[np.bool_]) -> float:
    """Area of a large triangle within the mask: for a triangle, that of its own corners."""
    rows = np.flatnonzero(mask.any(axis=1))
    left = mask.argmax(axis=1)[rows]
    right = mask.shape[1] - mask[:, ::-1].argmax(axis=1)[rows]
    corners = np.concatenate([np.stack([x, y], axis=1) for x in (left, right) for y in (rows, rows + 1)]).astype(
        np.float64
    )
    first = _farthest(corners, corners.mean(axis=0))
    second = _farthest(corners, first)
    edge, offsets = second - first, corners - first
    return float(np.abs(edge[0] * offsets[:, 1] - edge[1] * offsets[:, 0]).max() / 2)


def _farthest(points: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    farthest: NDArray[np.float64] = points[((points - origin) ** 2).sum(axis=1).argmax()]
    return farthest
