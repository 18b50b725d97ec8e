"""Pictures, decoded as they are displayed: first frame, turned upright, and never more pixels than allowed.

    bytes ── header: size within the limit? ──> pixels ── EXIF orientation ──> upright

The limit is checked before any pixel is decoded. What decoders of strangers' bytes do besides, crash or take for ever,
is for the process they run in to bound.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

# Pillow also opens formats whose readers start other programs; these are the ones that a picture may have.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_AVIF = frozenset({"image/avif", "image/avif-sequence"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation upright; 1 is upright, from 5 on width and height change places."""
_SIDEWAYS = 5
_DRAFT_SCALE = 8
# What one compressed text or colour profile of a PNG may come to; some programs keep their history there.
_MAX_TEXT_BYTES = 16_777_216
# Pillow's own for previews: no difference to see, and much less work for the largest pictures.
_REDUCING_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Upright:
    """A picture as it is displayed, RGB or, where it is transparent, RGBA; and its size before it was scaled down."""

    image: Image.Image
    full_size: tuple[int, int]


class UnreadablePictureError(Exception):
    """The bytes are no picture, or one that is cut short or damaged."""


class PictureTooLargeError(Exception):
    """The picture has more pixels than are decoded."""


def check_picture(data: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Decode a picture once, and give its width and height in pixels as displayed.

    Raises UnreadablePictureError, also when it is cut short, and PictureTooLargeError.
    """
    with _decoding(data, max_pixels) as image:
        width, height = image.size
        # Of a JPEG, all bytes are read, but only every eighth pixel is kept.
        image.draft(None, (max(1, width // _DRAFT_SCALE), max(1, height // _DRAFT_SCALE)))
        image.load()
        return _turned((width, height), _orientation(image))


def decode_upright(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decode a picture in the mode that its file has. Raises UnreadablePictureError and PictureTooLargeError."""
    with _decoding(data, max_pixels) as image:
        image.load()
        orientation = _orientation(image)
        return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _orientation(image: Image.Image) -> int:
    """Give a decoded picture's EXIF orientation, 1 to 8. TIFF and HEIF have been turned by then, and give 1."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        # Damaged EXIF raises anything, and is no reason to refuse what can be seen.
        return 1
    return orientation if isinstance(orientation, int) and orientation in _TURNS else 1


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Give the size as displayed of a picture stored with this size."""
    return size if orientation < _SIDEWAYS else (size[1], size[0])


def open_upright(data: bytes, *, max_pixels: int, max_side: int) -> Upright:
    """Decode a picture, its longer side scaled down to at most `max_side` pixels. Raises as `decode_upright`."""
    with _decoding(data, max_pixels) as image:
        stored = image.size
        size = _within(stored, max_side)
        # Decoders of JPEG leave out much of the work for pixels that would be scaled away.
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
    """Scale a size down until its longer side is within the limit; a side keeps one pixel at least."""
    width, height = size
    longer = max(size)
    if longer <= max_side:
        return size
    return max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer))


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Give a picture of 16 bits a sample, or of wide numbers, as one of 8 bits; Pillow itself would cut them off."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image
    samples = np.array(image, dtype=np.float32)
    # In place: there may be 50 million of them.
    np.nan_to_num(samples, copy=False)
    if image.mode.startswith("I;16") or samples.max(initial=0) > 255:
        samples /= 257
    return Image.fromarray(np.clip(samples, 0, 255, out=samples).astype(np.uint8))


@contextmanager
def _decoding(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture whose size is within the limit; whatever decoders raise becomes UnreadablePictureError."""
    pillow_limits = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
    Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, _MAX_TEXT_BYTES
    try:
        with warnings.catch_warnings(action="ignore"), _opened(data, max_pixels) as image:
            yield image
    except (UnreadablePictureError, PictureTooLargeError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadablePictureError("its header is damaged, or its format is not supported") from None
    except Exception as error:
        # Decoders of arbitrary bytes raise whatever they like; one names the limit that was passed.
        is_text = "MAX_TEXT_" in str(error)
        reason = "its text or colour profile is too large" if is_text else "it is cut short or damaged"
        raise UnreadablePictureError(reason) from None
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = pillow_limits


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    if not pillow_heif.is_supported(data) or pillow_heif.get_file_mimetype(data) in _AVIF:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
        _check_size(image.size, max_pixels)
        return image
    # The format's own rotation is applied already, and its EXIF orientation has no say.
    heif = pillow_heif.open_heif(data)
    _check_size(heif.size, max_pixels)
    return heif.to_pillow()


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureTooLargeError(f"the picture has {width} x {height} pixels; at most {max_pixels} are decoded")
    if width * height <= 0:
        raise UnreadablePictureError("it has no pixels")
