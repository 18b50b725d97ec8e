"""Names of colours, and the flat colours that a picture is made of.

Knows pixels and nothing of files, shapes or answers. Colours are RGB in 0 to 255.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB."""

Codes = NDArray[np.uint16]
"""Height x width; each colour in 15 bits, five a channel."""

# Several shades stand for a name, so that the nearest one decides as a person would.
_SHADES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("red", (255, 0, 0)),
    ("red", (220, 20, 20)),
    ("red", (200, 0, 0)),
    ("green", (0, 128, 0)),
    ("green", (0, 255, 0)),
    ("green", (20, 160, 40)),
    ("green", (0, 90, 0)),
    ("blue", (0, 0, 255)),
    ("blue", (30, 60, 220)),
    ("blue", (0, 0, 139)),
    ("blue", (30, 144, 255)),
    ("yellow", (255, 255, 0)),
    ("yellow", (240, 220, 40)),
    ("orange", (255, 165, 0)),
    ("orange", (255, 128, 0)),
    ("purple", (128, 0, 128)),
    ("purple", (140, 45, 220)),
    ("cyan", (0, 255, 255)),
    ("cyan", (0, 190, 200)),
    ("magenta", (255, 0, 255)),
    ("magenta", (220, 0, 190)),
    ("brown", (165, 42, 42)),
    ("brown", (139, 69, 19)),
    ("brown", (120, 72, 30)),
    ("black", (0, 0, 0)),
    ("grey", (80, 80, 80)),
    ("grey", (128, 128, 128)),
    ("grey", (190, 190, 190)),
    ("white", (255, 255, 255)),
)
_SHADE_VALUES = np.array([value for _, value in _SHADES], dtype=np.float32)
_SHADE_SQUARES = (_SHADE_VALUES**2).sum(axis=1)

_CODE_COUNT = 1 << 15
_CODE_COLOURS = np.stack(
    [((np.arange(_CODE_COUNT) >> shift) & 31) * 8 + 4 for shift in (10, 5, 0)],
    axis=1,
).astype(np.float32)

# Lossy formats keep brightness sharp and halve the resolution of hue, so that a tip one pixel wide has the brightness
# of its shape but hardly the hue. Rows: R, G, B; columns: four times the brightness, two differences of hue.
_BRIGHTNESS_FIRST = np.array(
    [[1.196, -0.169, 0.5], [2.348, -0.331, -0.419], [0.456, 0.5, -0.081]],
    dtype=np.float32,
)

_SAME_COLOUR_DISTANCE = 40.0
_MAX_FLAT_COLOURS = 24
_SURVEYED_PIXELS = 2_000_000


def name_of(colour: NDArray[np.float32]) -> str:
    """Name one RGB colour (three numbers, 0 to 255)."""
    distances = ((_SHADE_VALUES - colour) ** 2).sum(axis=1)
    return _SHADES[int(distances.argmin())][0]


def dominant_name(pixels: Pixels) -> str:
    """Name the colour that most of these pixels have; meant for small pictures (some thousand pixels)."""
    flat = pixels.reshape(-1, 3).astype(np.float32)
    # Squared distances, less the pixel's own square, which is the same for every shade.
    distances = _SHADE_SQUARES - 2 * (flat @ _SHADE_VALUES.T)
    votes = np.bincount(distances.argmin(axis=1), minlength=len(_SHADES))
    tally: Counter[str] = Counter()
    for (name, _), count in zip(_SHADES, votes.tolist(), strict=True):
        tally[name] += count
    return tally.most_common(1)[0][0]


def encode(pixels: Pixels) -> Codes:
    """Pack each pixel into 15 bits, so that a table of 32,768 entries can answer for any colour."""
    codes = pixels[..., 0].astype(np.uint16)
    codes >>= 3
    for channel in (1, 2):
        codes <<= 5
        codes |= pixels[..., channel] >> 3
    return codes


def flat_colours(codes: Codes) -> NDArray[np.float32]:
    """Find the colours that fill areas, the most frequent first.

    Only pixels like both their neighbours in the row are counted, so that edges and gradients give no colour.

    Returns:
        n x 3 RGB values, n from 1 to 24.

    """
    rows = codes[:: max(1, codes.size // _SURVEYED_PIXELS)]
    inner = rows[:, 1:-1]
    is_flat = (inner == rows[:, :-2]) & (inner == rows[:, 2:])
    counts = np.bincount(inner[is_flat], minlength=_CODE_COUNT)
    if not counts.any():
        counts = np.bincount(rows.ravel(), minlength=_CODE_COUNT)
    fewest = max(8, rows.size // 40_000)
    colours: list[NDArray[np.float32]] = []
    while len(colours) < _MAX_FLAT_COLOURS:
        peak = int(counts.argmax())
        near = ((_CODE_COLOURS - _CODE_COLOURS[peak]) ** 2).sum(axis=1) < _SAME_COLOUR_DISTANCE**2
        weights = np.where(near, counts, 0)
        total = int(weights.sum())
        if total < fewest and colours:
            break
        colours.append((_CODE_COLOURS * weights[:, None]).sum(axis=0) / max(total, 1))
        counts = np.where(near, 0, counts)
    return np.array(colours, dtype=np.float32)


def compared(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn RGB (in the last axis) into coordinates whose distances say which of two colours a blurred pixel is of."""
    coordinates: NDArray[np.float32] = colours @ _BRIGHTNESS_FIRST
    return coordinates


def nearest(codes: Codes, colours: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return for each pixel the number of the nearest colour (of at most 255)."""
    table = np.empty((len(colours), _CODE_COUNT), dtype=np.float32)
    everything = compared(_CODE_COLOURS)
    for number, colour in enumerate(compared(colours)):
        table[number] = ((everything - colour) ** 2).sum(axis=1)
    chosen: NDArray[np.uint8] = table.argmin(axis=0).astype(np.uint8)[codes]
    return chosen
