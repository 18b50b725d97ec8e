"""Pictures, decoded as displayed: first frame, turned upright, and never more pixels than allowed.

    bytes ── header: size within the limit? ──> pixels ── EXIF orientation ──> upright

The limit is checked before any pixel is decoded. Crashes and endless loops of decoders are bounded by the process in
which they run.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

# Pillow also opens formats whose readers start other programs; a picture may have only these formats.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_AVIF = frozenset({"image/avif", "image/avif-sequence"})
# The turn that makes a picture of each EXIF orientation upright. 1 is upright; from 5 on, width and height swap.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = 5
_DRAFT_SCALE = 8
# Largest size of one compressed text or colour profile of a PNG; some programs store their history there.
_MAX_TEXT_BYTES = 16_777_216
# Pillow's value for previews: no visible difference, and much less work for the largest pictures.
_REDUCING_GAP = 2.0
_NOT_SUPPORTED = "this variant of its format is not supported for tasks; save it as PNG or JPEG"
# The words of Pillow and libheif for a whole picture that they do not decode.
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unknown (?:pixel|raw) mode|unknown data organization|cannot handle|"
    r"decoder .* not available|no decoding plugin",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Upright:
    """A picture as displayed, in RGB, or RGBA if it is transparent, and its size before it was scaled down."""

    image: Image.Image
    full_size: tuple[int, int]


class UnreadablePictureError(Exception):
    """The bytes are not a picture, the picture is truncated or damaged, or no decoder here reads its format."""


class PictureTooLargeError(Exception):
    """The picture has more pixels than may be decoded."""


def check_picture(data: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Decode a picture once and return its width and height in pixels as displayed.

    Raises UnreadablePictureError, also for a truncated picture, and PictureTooLargeError.
    """
    with _decoding(data, max_pixels) as image:
        width, height = image.size
        # For a JPEG, all bytes are read, but only every eighth pixel is kept.
        image.draft(None, (max(1, width // _DRAFT_SCALE), max(1, height // _DRAFT_SCALE)))
        image.load()
        return _turned((width, height), _orientation(image))


def decode_upright(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return a picture in its file's own mode. Raises UnreadablePictureError and PictureTooLargeError."""
    with _decoding(data, max_pixels) as image:
        image.load()
        orientation = _orientation(image)
        return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _orientation(image: Image.Image) -> int:
    """Return a decoded picture's EXIF orientation, 1 to 8. TIFF and HEIF are already turned and return 1."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        # Damaged EXIF can raise any exception, and is no reason to refuse a visible picture.
        return 1
    return orientation if isinstance(orientation, int) and orientation in _TURNS else 1


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the displayed size of a picture that is stored with this size."""
    return size if orientation < _SIDEWAYS else (size[1], size[0])


def open_upright(data: bytes, *, max_pixels: int, max_side: int) -> Upright:
    """Return a picture with its longer side scaled down to at most `max_side` pixels. Raises as `decode_upright`."""
    with _decoding(data, max_pixels) as image:
        stored = image.size
        size = _within(stored, max_side)
        # JPEG decoders skip much of the work for pixels that would be scaled away.
        image.draft(None, size)
        image.load()
        orientation = _orientation(image)
    image = in_eight_bits(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    if orientation != 1:
        image = image.transpose(_TURNS[orientation])
    return Upright(image, _turned(stored, orientation))


def _within(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Return a size scaled down until its longer side is within the limit; each side keeps at least one pixel."""
    width, height = size
    longer = max(size)
    if longer <= max_side:
        return size
    return max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer))


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 bit or wider samples with 8 bit samples; Pillow itself would clip them."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image
    samples = np.array(image, dtype=np.float32)
    # In place, since there may be 50 million samples.
    np.nan_to_num(samples, copy=False)
    if image.mode.startswith("I;16") or samples.max(initial=0) > 255:
        samples /= 257
    return Image.fromarray(np.clip(samples, 0, 255, out=samples).astype(np.uint8))


@contextmanager
def _decoding(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture whose size is within the limit; every decoder error becomes UnreadablePictureError."""
    pillow_limits = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
    Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, _MAX_TEXT_BYTES
    try:
        with warnings.catch_warnings(action="ignore"), _opened(data, max_pixels) as image:
            yield image
    except (UnreadablePictureError, PictureTooLargeError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadablePictureError(f"its header is damaged, or {_NOT_SUPPORTED}") from None
    except Exception as error:
        raise UnreadablePictureError(_reason(error)) from None
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = pillow_limits


def _reason(error: Exception) -> str:
    """Return the reason why a decoder failed, for a message."""
    # Decoders of arbitrary bytes raise any exception, and only the words tell a whole picture from a damaged picture.
    words = str(error)
    if "MAX_TEXT_" in words:
        return "its text or colour profile is too large"
    if _UNSUPPORTED.search(words) is not None:
        return _NOT_SUPPORTED
    return "it is cut short or damaged"


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    if not pillow_heif.is_supported(data) or pillow_heif.get_file_mimetype(data) in _AVIF:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
        _check_size(image.size, max_pixels)
        return image
    # The format's own rotation is already applied, and its EXIF orientation is to be ignored.
    heif = pillow_heif.open_heif(data)
    if not len(heif):
        # libheif read the boxes, and found no picture of a codec that it knows.
        raise UnreadablePictureError(_NOT_SUPPORTED)
    _check_size(heif.size, max_pixels)
    return heif.to_pillow()


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureTooLargeError(f"the picture has {width} x {height} pixels; at most {max_pixels} are decoded")
    if width * height <= 0:
        raise UnreadablePictureError("it has no pixels")
