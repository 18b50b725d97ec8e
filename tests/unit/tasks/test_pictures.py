"""Pictures: upright, in eight bits, within the limit, and refused when they are cut short."""

import io
import logging
import pickle
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from app.tasks.pictures import (
    PictureTooLargeError,
    UnreadablePictureError,
    check_picture,
    decode_upright,
    open_upright,
)
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


def upright(data: bytes) -> Image.Image:
    return open_upright(data, max_pixels=LIMIT, max_side=LIMIT).image


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
    shown = upright(media(name))

    assert shown.mode == "RGB"
    assert shown.size == (640, 480)
    if name != "shapes-one-missing.png":
        assert shown.getpixel((0, 0)) == pytest.approx((255, 255, 255), abs=8)
        assert int(np.asarray(shown)[120, 130, 0]) > 180
        assert int(np.asarray(shown)[120, 130, 2]) < 90


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_the_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = halves() if orientation == 1 else halves().transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, kind, exif=exif, quality=95)

    assert check_picture(data, max_pixels=LIMIT) == (48, 32)
    assert colours_of(upright(data)) == ["red", "red", "blue", "black"]


def test_a_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    pillow_heif.from_pillow(halves().transpose(TURNS[6])).save(file, exif=exif.tobytes(), quality=95)

    assert check_picture(file.getvalue(), max_pixels=LIMIT) == (48, 32)
    assert colours_of(upright(file.getvalue())) == ["red", "red", "blue", "black"]


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
    assert upright(data).size == (48, 32)


@pytest.mark.parametrize("name", ["truncated.png", "not-a-picture.png", "program.jpg", "empty.jpg", "report.pdf"])
def test_a_damaged_picture_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadablePictureError):
        check_picture(media(name), max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["shapes.png", "shapes.jpg", "shapes.webp", "shapes.heic"])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.97])
def test_a_truncated_picture_is_unreadable(name: str, part: float) -> None:
    data = media(name)
    cut = data[: int(len(data) * part)]

    with pytest.raises(UnreadablePictureError, match=r"cut short or damaged|its header is damaged"):
        check_picture(cut, max_pixels=LIMIT)
    with pytest.raises(UnreadablePictureError):
        upright(cut)


def bitfield_bmp() -> bytes:
    """A whole BMP with four bits a colour, which Pillow does not decode."""
    size = struct.pack("<IiiHHIIiiII", 108, 4, 4, 1, 16, 3, 32, 0, 0, 0, 0)
    header = (size + struct.pack("<IIII", 0xF00, 0xF0, 0xF, 0xF000)).ljust(108, b"\0")
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 122) + header + bytes(32)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def heif_of(codec: bytes) -> bytes:
    """A whole HEIF picture of 4 x 4 pixels in a codec."""

    def meta(offset: int) -> bytes:
        item = box(b"infe", struct.pack(">IHH4sx", 2 << 24, 1, 0, codec))
        size = box(b"ispe", struct.pack(">III", 0, 4, 4))
        return box(
            b"meta",
            bytes(4)
            + box(b"hdlr", struct.pack(">II4s13x", 0, 0, b"pict"))
            + box(b"pitm", struct.pack(">IH", 0, 1))
            + box(b"iinf", struct.pack(">IH", 0, 1) + item)
            + box(b"iloc", struct.pack(">IBBHHHHII", 0, 0x44, 0, 1, 1, 0, 1, offset, 48))
            + box(b"iprp", box(b"ipco", size) + box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1))),
        )

    kind = box(b"ftyp", b"mif1\0\0\0\0mif1")
    return kind + meta(len(kind) + len(meta(0)) + 8) + box(b"mdat", bytes(48))


@pytest.mark.parametrize(
    "data",
    [
        bitfield_bmp(),
        heif_of(b"unci"),
        heif_of(b"j2k1"),
        heif_of(b"vvc1"),
        saved(Image.new("RGB", (4, 4)), "TIFF").replace(
            struct.pack("<HHII", 262, 3, 1, 2), struct.pack("<HHII", 262, 3, 1, 9)
        ),
    ],
    ids=["bmp", "uncompressed-heif", "jpeg2000-heif", "vvc-heif", "tiff"],
)
def test_a_whole_picture_that_no_decoder_reads_is_not_supported_for_tasks(data: bytes) -> None:
    with pytest.raises(UnreadablePictureError, match="not supported for tasks; save it as PNG or JPEG"):
        check_picture(data, max_pixels=LIMIT)
    with pytest.raises(UnreadablePictureError, match="not supported for tasks"):
        upright(data)


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

    assert (Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK) == (100, 1 << 20)


@pytest.mark.parametrize("error", [PictureTooLargeError("too large"), UnreadablePictureError("cut short")])
def test_picture_errors_can_be_pickled(error: Exception) -> None:
    sent = pickle.loads(pickle.dumps(error))

    assert (type(sent), str(sent)) == (type(error), str(error))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_an_opaque_picture_becomes_rgb(mode: str) -> None:
    data = saved(halves().convert(mode), "TIFF" if mode in {"CMYK", "YCbCr"} else "PNG")

    assert upright(data).mode == "RGB"


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_a_transparent_picture_becomes_rgba(mode: str) -> None:
    picture = halves("RGBA")
    picture.putalpha(100)
    data = encoded(picture.convert(mode) if mode != "PA" else picture.quantize())

    shown = upright(data)

    assert shown.mode == "RGBA"
    assert shown.getchannel("A").getextrema() == (100, 100)


def test_sixteen_bits_become_eight_without_being_cut_off() -> None:
    data = encoded(Image.fromarray(np.array([[0, 32_896], [257, 65_535]], dtype=np.uint16)))

    assert np.asarray(upright(data))[..., 0].tolist() == [[0, 128], [1, 255]]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("PNG", {}),
        ("PNG", {"default_image": True}),
        ("AVIF", {}),
        ("MPO", {}),
    ],
)
def test_of_several_frames_the_first_is_taken(kind: str, options: dict[str, bool]) -> None:
    others = [halves().transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.new("RGB", (48, 32), "green")]
    data = saved(halves(), kind, save_all=True, append_images=others * 10, **options)

    assert check_picture(data, max_pixels=LIMIT) == (48, 32)
    assert colours_of(decode_upright(data, max_pixels=LIMIT)) == ["red", "red", "blue", "black"]
    assert colours_of(upright(data)) == ["red", "red", "blue", "black"]


def test_a_gif_with_a_cut_second_frame_gives_the_first_frame() -> None:
    data = saved(halves(), "GIF", save_all=True, append_images=[Image.effect_noise((48, 32), 90)])

    assert colours_of(upright(data[:-500])) == ["red", "red", "blue", "black"]


def test_pages_after_the_first_of_a_tiff_may_be_of_any_size() -> None:
    data = saved(halves(), "TIFF", save_all=True, append_images=[Image.new("1", (4000, 4000))] * 2)

    assert check_picture(data, max_pixels=48 * 32) == (48, 32)
    assert colours_of(upright(data)) == ["red", "red", "blue", "black"]


@contextmanager
def at_most(peak: int) -> Iterator[None]:
    """Fail when Python objects come to more bytes than this at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= peak
    finally:
        tracemalloc.stop()


def ifd(*tags: tuple[int, int, int, int], rest: bytes = b"") -> bytes:
    """Write a TIFF header and directory of (tag, type, count, value or offset), as EXIF has them."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + rest


def with_exif(kind: str, exif: bytes) -> bytes:
    if kind != "JPEG":
        return saved(halves(), kind, exif=b"Exif\0\0" + exif)
    data = saved(halves(), kind)
    pieces = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece for piece in pieces)
    return data[:2] + segments + data[2:]


SIDEWAYS = (0x0112, 3, 1, 6)
UNDEFINED, LONG = 7, 4
MEGABYTE = 1_000_000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(ifd(SIDEWAYS, rest=bytes(5 * MEGABYTE)), id="large"),
        pytest.param(ifd((0x010E, UNDEFINED, 4 * MEGABYTE, 26), SIDEWAYS, rest=bytes(5 * MEGABYTE)), id="a large tag"),
        pytest.param(ifd(*((tag, LONG, 1, 0) for tag in range(1, 0x0112)), SIDEWAYS), id="many tags"),
        pytest.param(ifd((0x8769, LONG, 1, 8), SIDEWAYS), id="a directory within itself"),
    ],
)
def test_the_orientation_is_found_in_the_strangest_exif(kind: str, exif: bytes) -> None:
    data = with_exif(kind, exif)

    with at_most(40 * MEGABYTE):
        assert check_picture(data, max_pixels=LIMIT) == (32, 48)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_tags_that_share_bytes_take_no_extra_memory(kind: str) -> None:
    tags = ((tag, UNDEFINED, 2 * MEGABYTE, 8) for tag in range(1, 6_000))
    data = with_exif(kind, ifd(*tags, rest=bytes(2 * MEGABYTE)))

    with at_most(60 * MEGABYTE):
        assert check_picture(data, max_pixels=LIMIT) == (48, 32)


def retagged(tag: int, kind: int, count: int, value: int) -> bytes:
    """Return a TIFF with this tag in place of any earlier one."""
    data = saved(halves(), "TIFF")
    (at,) = struct.unpack_from("<L", data, 4)
    (count_before,) = struct.unpack_from("<H", data, at)
    before = [struct.unpack_from("<HHLL", data, at + 2 + 12 * index) for index in range(count_before)]
    tags = sorted([entry for entry in before if entry[0] != tag] + [(tag, kind, count, value)])
    return data[:4] + struct.pack("<L", len(data)) + data[8:] + ifd(*tags)[8:]


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param((0x0112, 3, 1, 99), id="no orientation"),
        pytest.param((0x0112, 3, 0xFFFFFFFF, 8), id="four thousand million orientations"),
        pytest.param((0xC000, UNDEFINED, 0x7FFFFFFF, 8), id="a private tag larger than the file"),
        pytest.param((0xC000, UNDEFINED, 1_000, 8), id="a private tag made of the picture"),
        pytest.param((0xC000, 99, 1, 8), id="a tag of an unknown type"),
        pytest.param((0x014A, LONG, 1, 8), id="a directory within the picture"),
    ],
)
def test_strange_tags_of_a_tiff_do_not_matter(tag: tuple[int, int, int, int]) -> None:
    with at_most(2 * MEGABYTE):
        assert check_picture(retagged(*tag), max_pixels=LIMIT) == (48, 32)
    assert colours_of(upright(retagged(*tag))) == ["red", "red", "blue", "black"]


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param((0x0100, LONG, 1, 0), id="no width"),
        pytest.param((0x0100, 9, 1, 0xFFFFFFFB), id="a negative width"),
        pytest.param((0x0100, 2, 4, 0x00636261), id="a width of letters"),
        pytest.param((0x0100, 11, 1, 0x7FC00000), id="a width that is no number"),
        pytest.param((0x0102, 3, 1, 64), id="64 bits a sample"),
        pytest.param((0x0103, 3, 1, 9999), id="an unknown compression"),
        pytest.param((0x0111, LONG, 1, 0x7FFFFFFF), id="pixels behind the end"),
        pytest.param((0x0115, 3, 1, 65_535), id="65 535 samples a pixel"),
        pytest.param((0x0116, LONG, 1, 0), id="strips without rows"),
    ],
)
def test_a_tiff_with_invalid_tags_is_unreadable(
    tag: tuple[int, int, int, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "PIL")

    with at_most(2 * MEGABYTE), pytest.raises(UnreadablePictureError):
        check_picture(retagged(*tag), max_pixels=LIMIT)


def test_a_tiff_that_claims_a_huge_width_is_too_large() -> None:
    with pytest.raises(PictureTooLargeError, match="4294967295 x 32 pixels"):
        check_picture(retagged(0x0100, LONG, 1, 0xFFFFFFFF), max_pixels=LIMIT)


def with_chunk(kind: bytes, data: bytes, count: int = 1, *, is_last: bool) -> bytes:
    """Write a PNG that has chunks before its pixels, or behind them."""
    png = saved(halves(), "PNG")
    at = png.index(b"IEND") - 4 if is_last else png.index(b"IDAT") - 4
    return png[:at] + chunk(kind, data) * count + png[at:]


def packed(size: int) -> bytes:
    """Compress this many equal letters, one megabyte after the other."""
    compress = zlib.compressobj()
    return b"".join(compress.compress(b"a" * MEGABYTE) for _ in range(size // MEGABYTE)) + compress.flush()


TEXTS = {b"zTXt": b"Comment\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", b"iCCP": b"profile\0\0"}


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_the_text_of_a_png_may_be_long(kind: bytes, is_last: bool) -> None:
    data = with_chunk(kind, TEXTS[kind] + packed(15 * MEGABYTE), is_last=is_last)

    assert check_picture(data, max_pixels=LIMIT) == (48, 32)
    assert colours_of(upright(data)) == ["red", "red", "blue", "black"]


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_that_comes_to_hundreds_of_megabytes_is_refused(kind: bytes, is_last: bool) -> None:
    data = with_chunk(kind, TEXTS[kind] + packed(200 * MEGABYTE), is_last=is_last)

    with (
        at_most(80 * MEGABYTE),
        pytest.raises(UnreadablePictureError, match="its text or colour profile is too large"),
    ):
        check_picture(data, max_pixels=LIMIT)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_many_texts_are_refused_when_they_are_too_large_together(kind: bytes) -> None:
    data = with_chunk(kind, TEXTS[kind] + packed(MEGABYTE), 100, is_last=False)

    with at_most(100 * MEGABYTE), pytest.raises(UnreadablePictureError, match="too large"):
        check_picture(data, max_pixels=LIMIT)


@pytest.mark.parametrize(("stored", "orientation"), [((4000, 1000), 1), ((1000, 4000), 6)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_large_picture_is_scaled_down_on_opening(kind: str, stored: tuple[int, int], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = halves().resize((4000, 1000), Image.Resampling.NEAREST)
    turned = large if orientation == 1 else large.transpose(TURNS[orientation])
    data = saved(turned, kind, exif=exif)

    opened = open_upright(data, max_pixels=4 * LIMIT, max_side=400)

    assert turned.size == stored
    assert opened.full_size == (4000, 1000)
    assert opened.image.size == (400, 100)
    assert colours_of(opened.image) == ["red", "red", "blue", "black"]


def test_a_thin_picture_keeps_one_pixel_after_scaling_down() -> None:
    opened = open_upright(saved(Image.new("L", (9000, 3)), "PNG"), max_pixels=LIMIT, max_side=100)

    assert (opened.image.size, opened.full_size) == ((100, 1), (9000, 3))


@pytest.mark.parametrize("mode", ["1", "P", "L", "RGBA", "I;16"])
def test_pictures_of_every_mode_are_scaled_smoothly(mode: str) -> None:
    stripes = np.zeros((400, 400), dtype=np.uint16)
    stripes[:, ::2] = 65_535
    grey = Image.fromarray((stripes >> 8).astype(np.uint8))
    data = saved(Image.fromarray(stripes) if mode == "I;16" else grey.convert(mode), "PNG")

    opened = open_upright(data, max_pixels=LIMIT, max_side=100)

    red = np.asarray(opened.image)[5:-5, 5:-5, 0]
    assert 120 <= red.min() <= red.max() <= 135


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
