"""Connected regions of equal class in a map of classes, by runs instead of pixels.

    class map -> runs of each row -> pairs of touching runs -> union-find -> regions

Knows neither colours nor pictures. A run is a stretch of equal pixels in one row; regions join runs that touch, also
by a corner. All work is done on arrays of runs, so that a picture of large areas costs little more than reading it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ClassMap = NDArray[np.uint8]
"""Height x width; the class of each pixel."""

_CORE = 5


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a class map, as arrays: one entry a run (`run_*`), or one a region (the rest).

    Boxes are half-open pixels. `has_core` says that the region holds a square of 5 x 5 pixels, which a rim left by
    blurred edges does not.
    """

    run_row: NDArray[np.int64]
    run_start: NDArray[np.int64]
    run_end: NDArray[np.int64]
    run_region: NDArray[np.int64]
    region_class: NDArray[np.uint8]
    area: NDArray[np.int64]
    has_core: NDArray[np.bool_]
    x_min: NDArray[np.int64]
    y_min: NDArray[np.int64]
    x_max: NDArray[np.int64]
    y_max: NDArray[np.int64]

    def mask_of(self, region: int) -> NDArray[np.bool_]:
        """Draw one region: the pixels of its box, True where they belong to it."""
        runs = np.flatnonzero(self.run_region == region)
        left, top = int(self.x_min[region]), int(self.y_min[region])
        steps = np.zeros((int(self.y_max[region]) - top, int(self.x_max[region]) - left + 1), dtype=np.int8)
        steps[self.run_row[runs] - top, self.run_start[runs] - left] = 1
        steps[self.run_row[runs] - top, self.run_end[runs] - left] = -1
        return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].astype(np.bool_)

    def pixels_of(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the pixels of the chosen regions (one flag a region), as rows and columns."""
        runs = np.flatnonzero(chosen[self.run_region])
        lengths = self.run_end[runs] - self.run_start[runs]
        offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(self.run_row[runs], lengths), np.repeat(self.run_start[runs], lengths) + offsets


def count_runs(classes: ClassMap) -> int:
    """Return the number of runs in a class map, which bounds the time and memory for its regions."""
    height: int = classes.shape[0]
    return height + int(np.count_nonzero(classes[:, 1:] != classes[:, :-1]))


def find_regions(classes: ClassMap) -> Regions:
    """Find all connected regions of equal class."""
    height, width = classes.shape
    begins = np.ones((height, width), dtype=np.bool_)
    np.not_equal(classes[:, 1:], classes[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins).astype(np.int64)
    ends = np.append(starts[1:], height * width)
    run_class = classes.ravel()[starts]
    upper, lower = _touching(starts, ends, width, height)
    alike = run_class[upper] == run_class[lower]
    roots = _join(len(starts), upper[alike], lower[alike])
    unique_roots, run_region = np.unique(roots, return_inverse=True)
    count = len(unique_roots)
    row = starts // width
    run_start, run_end = starts - row * width, ends - row * width
    cores = np.add.reduceat(_cores(classes).ravel(), starts, dtype=np.int64)
    extremes = [np.full(count, max(height, width), dtype=np.int64) for _ in range(2)]
    extremes += [np.zeros(count, dtype=np.int64) for _ in range(2)]
    np.minimum.at(extremes[0], run_region, run_start)
    np.minimum.at(extremes[1], run_region, row)
    np.maximum.at(extremes[2], run_region, run_end)
    np.maximum.at(extremes[3], run_region, row + 1)
    return Regions(
        run_row=row,
        run_start=run_start,
        run_end=run_end,
        run_region=run_region,
        region_class=run_class[unique_roots],
        area=np.bincount(run_region, weights=ends - starts, minlength=count).astype(np.int64),
        has_core=np.bincount(run_region, weights=cores, minlength=count) > 0,
        x_min=extremes[0],
        y_min=extremes[1],
        x_max=extremes[2],
        y_max=extremes[3],
    )


def _touching(
    starts: NDArray[np.int64], ends: NDArray[np.int64], width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each run with the runs of the next row that it touches."""
    last_row = (height - 1) * width
    upper = np.flatnonzero(starts < last_row)
    next_row = (starts[upper] // width + 1) * width
    low = np.maximum(starts[upper] + width - 1, next_row)
    high = np.minimum(ends[upper] + width + 1, next_row + width)
    first = np.searchsorted(ends, low, side="right")
    counts = np.searchsorted(starts, high, side="left") - first
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(upper, counts), np.repeat(first, counts) + offsets


def _join(count: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Union-find over pairs, all at once: roots are hooked to smaller roots until no pair has two."""
    parent = np.arange(count)
    while True:
        first, second = parent[one], parent[other]
        differ = first != second
        if not differ.any():
            return parent
        one, other, first, second = one[differ], other[differ], first[differ], second[differ]
        np.minimum.at(parent, np.maximum(first, second), np.minimum(first, second))
        while True:
            grandparent = parent[parent]
            if np.array_equal(grandparent, parent):
                break
            parent = grandparent


def _cores(classes: ClassMap) -> NDArray[np.bool_]:
    """Mark the pixels in the middle of a 5 x 5 square of one class."""
    cores = np.zeros(classes.shape, dtype=np.bool_)
    if min(classes.shape) < _CORE:
        return cores
    same_as_right = classes[:, 1:] == classes[:, :-1]
    even = _all_of_four(same_as_right.T).T
    same_as_below = classes[1:] == classes[:-1]
    rows = _all_of_four(same_as_below)[:, 2:-2]
    margin = _CORE // 2
    inner = cores[margin:-margin, margin:-margin]
    np.logical_and(rows, even[margin:-margin], out=inner)
    for shift in range(_CORE):
        inner &= even[shift : shift + inner.shape[0]]
    return cores


def _all_of_four(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """And each row with the three that follow it."""
    joined: NDArray[np.bool_] = flags[:-3] & flags[1:-2]
    joined &= flags[2:-1]
    joined &= flags[3:]
    return joined
