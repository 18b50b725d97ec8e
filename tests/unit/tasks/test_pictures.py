"""Pictures: upright, in eight bits, within the limit, and refused when they are cut short."""

import io
import pickle
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.tasks.pictures import PictureTooLargeError, UnreadablePictureError, check_picture, decode_upright, open_upright
from tests.gateway import MEDIA
from tests.unit.tasks.drawings import encoded

LIMIT = 1_000_000
SHAPES = sorted(path.name for path in MEDIA.glob("shapes*"))
TURNS = {
    1: Image.Transpose.ROTATE_180,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What turns an upright picture into one that is stored in each orientation."""


def media(name: str) -> bytes:
    return (MEDIA / name).read_bytes()


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def halves(mode: str = "RGB") -> Image.Image:
    """Draw a picture of 48 x 32 pixels: red on top, blue below, and black in the lower left corner."""
    picture = Image.new(mode, (48, 32), "red")
    picture.paste("blue", (0, 16, 48, 32))
    picture.paste("black", (0, 24, 8, 32))
    return picture


def colours_of(picture: Image.Image) -> list[str]:
    """Name the colours near the four corners, from the upper left one clockwise."""
    rgb = picture.convert("RGB")
    corners = ((3, 3), (rgb.width - 4, 3), (rgb.width - 4, rgb.height - 4), (3, rgb.height - 4))
    found = []
    for corner in corners:
        value = rgb.getpixel(corner)
        assert isinstance(value, tuple)
        found.append("black" if max(value) < 90 else ("red", "green", "blue")[value.index(max(value))])
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_pictures_of_each_format_are_read_as_they_are_displayed(name: str) -> None:
    assert check_picture(media(name), max_pixels=LIMIT) == (640, 480)
    upright = open_upright(media(name), max_pixels=LIMIT)

    assert upright.mode == "RGB"
    assert upright.size == (640, 480)
    if name != "shapes-one-missing.png":
        assert upright.getpixel((0, 0)) == pytest.approx((255, 255, 255), abs=8)
        assert int(np.asarray(upright)[120, 130, 0]) > 180
        assert int(np.asarray(upright)[120, 130, 2]) < 90


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_the_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = halves() if orientation == 1 else halves().transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, kind, exif=exif, quality=95)

    assert check_picture(data, max_pixels=LIMIT) == (48, 32)
    assert colours_of(open_upright(data, max_pixels=LIMIT)) == ["red", "red", "blue", "black"]


def test_a_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    pillow_heif.from_pillow(halves().transpose(TURNS[6])).save(file, exif=exif.tobytes(), quality=95)

    assert check_picture(file.getvalue(), max_pixels=LIMIT) == (48, 32)
    assert colours_of(open_upright(file.getvalue(), max_pixels=LIMIT)) == ["red", "red", "blue", "black"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0\x01\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    ],
)
def test_damaged_exif_is_no_reason_to_refuse_a_picture(kind: str, exif: bytes) -> None:
    data = saved(halves(), kind, exif=exif)

    assert check_picture(data, max_pixels=LIMIT) == (48, 32)
    assert open_upright(data, max_pixels=LIMIT).size == (48, 32)


@pytest.mark.parametrize("name", ["truncated.png", "not-a-picture.png", "program.jpg", "empty.jpg", "report.pdf"])
def test_what_is_no_whole_picture_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadablePictureError):
        check_picture(media(name), max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["shapes.png", "shapes.jpg", "shapes.webp", "shapes.heic"])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.97])
def test_a_picture_that_is_cut_short_is_unreadable(name: str, part: float) -> None:
    data = media(name)
    cut = data[: int(len(data) * part)]

    with pytest.raises(UnreadablePictureError):
        check_picture(cut, max_pixels=LIMIT)
    with pytest.raises(UnreadablePictureError):
        open_upright(cut, max_pixels=LIMIT)


@pytest.mark.parametrize("kind", ["EPS", "PCX", "PPM", "ICO"])
def test_formats_that_no_model_takes_are_not_opened(kind: str) -> None:
    with pytest.raises(UnreadablePictureError, match="not supported"):
        check_picture(saved(halves(), kind), max_pixels=LIMIT)


def test_the_limit_is_checked_before_anything_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 90_000, 8, 2, 0, 0, 0))

    with pytest.raises(PictureTooLargeError) as refused:
        check_picture(header + chunk(b"IDAT", b"") + chunk(b"IEND", b""), max_pixels=50_000_000)

    assert str(refused.value) == "the picture has 100000 x 90000 pixels; at most 50000000 are decoded"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("name", SHAPES)
def test_every_format_has_the_limit(name: str) -> None:
    with pytest.raises(PictureTooLargeError, match="at most 307199"):
        check_picture(media(name), max_pixels=640 * 480 - 1)
    assert check_picture(media(name), max_pixels=640 * 480) == (640, 480)


def test_pillows_own_limit_neither_counts_nor_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_picture(media("shapes.png"), max_pixels=LIMIT) == (640, 480)

    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("error", [PictureTooLargeError("too large"), UnreadablePictureError("cut short")])
def test_errors_can_be_sent_from_one_process_to_another(error: Exception) -> None:
    sent = pickle.loads(pickle.dumps(error))

    assert (type(sent), str(sent)) == (type(error), str(error))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_whatever_has_no_transparency_becomes_rgb(mode: str) -> None:
    data = saved(halves().convert(mode), "TIFF" if mode in {"CMYK", "YCbCr"} else "PNG")

    assert open_upright(data, max_pixels=LIMIT).mode == "RGB"


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_what_is_transparent_stays_so(mode: str) -> None:
    picture = halves("RGBA")
    picture.putalpha(100)
    data = encoded(picture.convert(mode) if mode != "PA" else picture.quantize())

    upright = open_upright(data, max_pixels=LIMIT)

    assert upright.mode == "RGBA"
    assert upright.getchannel("A").getextrema() == (100, 100)


def test_sixteen_bits_become_eight_without_being_cut_off() -> None:
    data = encoded(Image.fromarray(np.array([[0, 32_896], [257, 65_535]], dtype=np.uint16)))

    assert np.asarray(open_upright(data, max_pixels=LIMIT))[..., 0].tolist() == [[0, 128], [1, 255]]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [halves(), halves().transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])

        assert colours_of(decode_upright(data, max_pixels=LIMIT)) == ["red", "red", "blue", "black"]


@settings(deadline=None)
@given(st.sampled_from(SHAPES), st.integers(0, 20_000), st.binary(min_size=1, max_size=30))
def test_damaged_bytes_are_a_picture_or_refused(name: str, at: int, junk: bytes) -> None:
    data = bytearray(media(name))
    at %= len(data)
    data[at : at + len(junk)] = junk

    try:
        width, height = check_picture(bytes(data), max_pixels=LIMIT)
    except (UnreadablePictureError, PictureTooLargeError):
        return
    assert 0 < width * height <= LIMIT
