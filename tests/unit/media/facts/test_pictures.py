import io
import struct

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.media.facts import MediaFacts, read_facts, turned_by_tail
from tests.unit.media.recordings import media, picture

TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}


def heic(size: tuple[int, int], orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", size, "grey")).save(file, exif=exif.tobytes())
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("shapes.png", "image/png"),
        ("truncated.png", "image/png"),
        ("shapes.jpg", "image/jpeg"),
        ("shapes-exif6.jpg", "image/jpeg"),
        ("shapes.webp", "image/webp"),
        ("shapes.heic", "image/heic"),
    ],
)
@pytest.mark.parametrize("length", [400, 4096, None])
def test_the_known_pictures_are_as_large_as_displayed_even_when_cut(
    name: str, mime_type: str, length: int | None
) -> None:
    facts = read_facts(media(name)[:length], mime_type, is_whole=length is None)

    assert (facts.width, facts.height) == (640, 480)
    assert facts.orientation == (6 if name == "shapes-exif6.jpg" else None)


@pytest.mark.parametrize("form", list(TYPES))
def test_a_picture_without_orientation_is_as_stored(form: str) -> None:
    assert read_facts(picture(form), TYPES[form], is_whole=True) == MediaFacts(width=60, height=40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_each_orientation_turns_the_size(form: str, orientation: int) -> None:
    data = picture(form, orientation=orientation)

    facts = read_facts(data, TYPES[form], is_whole=True)

    displayed = (60, 40) if orientation < 5 else (40, 60)
    assert (facts.width, facts.height, facts.orientation) == (*displayed, orientation)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_has_the_size_after_its_boxes_rotation(orientation: int) -> None:
    data = heic((60, 40), orientation)

    facts = read_facts(data, "image/heic", is_whole=True)

    assert (facts.width, facts.height) == pillow_heif.open_heif(data).size
    assert facts.orientation is None


def test_a_clipped_and_turned_heif_has_the_remaining_size() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    clip = struct.pack(">8I", 50, 1, 60, 2, 0, 1, 0, 1)
    properties = box(b"ispe", struct.pack(">III", 0, 64, 48)) + box(b"clap", clip) + box(b"irot", b"\x01")
    associations = struct.pack(">IIIB3H", 1 << 24 | 1, 1, 7, 3, 0x8001, 2, 0x8003)
    pitm = box(b"pitm", struct.pack(">II", 1 << 24, 7))
    iprp = box(b"iprp", box(b"ipco", properties) + box(b"ipma", associations))

    data = box(b"ftyp", b"mif1" + bytes(4)) + box(b"meta", bytes(4) + pitm + iprp)

    assert read_facts(data, "image/heif", is_whole=True) == MediaFacts(width=30, height=50)


@pytest.mark.parametrize("mode", ["lossless", "lossy", "alpha"])
def test_every_sort_of_webp_is_read(mode: str) -> None:
    file = io.BytesIO()
    image = Image.new("RGBA" if mode == "alpha" else "RGB", (301, 17), (1, 2, 3, 4) if mode == "alpha" else (1, 2, 3))
    image.save(file, "WEBP", lossless=mode == "lossless")

    assert read_facts(file.getvalue(), "image/webp", is_whole=True) == MediaFacts(width=301, height=17)


def test_a_png_with_an_orientation_after_its_pixels_is_turned() -> None:
    turned = picture("PNG", orientation=6)
    at = turned.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(turned[at : at + 4], "big")
    moved = turned[:at] + turned[end:-12] + turned[at:end] + turned[-12:]

    facts = read_facts(moved, "image/png", is_whole=True)

    assert (facts.width, facts.height, facts.orientation) == (40, 60, 6)


def test_a_big_tiff_is_read() -> None:
    header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    entries = [(256, 60), (257, 40), (274, 8)]
    directory = struct.pack("<Q", 3) + b"".join(struct.pack("<HHQQ", tag, 4, 1, value) for tag, value in entries)

    assert read_facts(header + directory, "image/tiff", is_whole=True) == MediaFacts(width=40, height=60, orientation=8)


@pytest.mark.parametrize("subfile_type", [0, 1])
def test_a_tiff_whose_first_picture_is_a_preview_has_no_size(subfile_type: int) -> None:
    entries = [(254, subfile_type), (256, 8), (257, 8)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)

    facts = read_facts(data, "image/tiff", is_whole=True)

    assert (facts.width, facts.height) == ((None, None) if subfile_type else (8, 8))


def test_a_bmp_from_top_to_bottom_has_a_positive_height() -> None:
    data = bytearray(picture("BMP"))
    struct.pack_into("<i", data, 22, -40)

    assert read_facts(bytes(data), "image/bmp", is_whole=True) == MediaFacts(width=60, height=40)


def test_an_invalid_orientation_is_none() -> None:
    assert read_facts(picture("JPEG", orientation=9), "image/jpeg", is_whole=True) == MediaFacts(width=60, height=40)


@pytest.mark.parametrize("form", list(TYPES))
def test_a_cut_header_gives_no_facts(form: str) -> None:
    assert read_facts(picture(form)[:8], TYPES[form], is_whole=False) == MediaFacts()


def test_a_picture_of_absurd_size_is_read_without_its_pixels() -> None:
    data = bytearray(picture("PNG"))
    struct.pack_into(">II", data, 16, 2_000_000, 2_000_000)

    assert read_facts(bytes(data), "image/png", is_whole=True) == MediaFacts(width=2_000_000, height=2_000_000)


def test_a_picture_without_extent_has_no_size() -> None:
    data = bytearray(picture("PNG"))
    struct.pack_into(">II", data, 16, 0, 40)

    assert read_facts(bytes(data), "image/png", is_whole=True) == MediaFacts()


def test_a_name_among_the_pixels_is_no_orientation() -> None:
    facts = MediaFacts(width=9, height=6)
    tail = b"eXIf" + bytes(40)

    assert turned_by_tail(facts, b"\x89PNG", b"\x00\x00\x00\x10" + tail, "image/png") == facts


def test_a_webp_with_a_missing_orientation_has_no_size() -> None:
    head = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08" + bytes(20)

    assert turned_by_tail(MediaFacts(width=9, height=6), head, bytes(500), "image/webp") == MediaFacts()


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/webp", "image/jpeg"]))
def test_any_tail_is_looked_at_without_an_error(tail: bytes, mime_type: str) -> None:
    head = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08" + bytes(20)

    turned = turned_by_tail(MediaFacts(width=9, height=6), head, b"eXIf" + tail + b"EXIF" + tail, mime_type)

    assert turned.width in {None, 6, 9}
