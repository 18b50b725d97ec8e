import gzip
import io
import struct
import uuid
import zipfile

import pytest

from app.media.facts import read_facts
from app.media.sniff import HEAD_BYTES, sniff
from app.store.records import NO_FACTS
from tests.unit.media.recordings import media, picture, riff, sound, video


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def ftyp(*brands: bytes) -> bytes:
    return box(b"ftyp", brands[0] + bytes(4) + b"".join(brands[1:])) + box(b"mdat", bytes(64))


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("shapes.png", "image/png"),
        ("shapes.jpg", "image/jpeg"),
        ("shapes.webp", "image/webp"),
        ("shapes.heic", "image/heic"),
        ("speech.wav", "audio/wav"),
        ("speech.mp3", "audio/mpeg"),
        ("speech.aiff", "audio/aiff"),
        ("speech.aac", "audio/aac"),
        ("speech.ogg", "audio/ogg"),
        ("speech.flac", "audio/flac"),
        ("scenes.mp4", "video/mp4"),
        ("report.pdf", "application/pdf"),
        ("truncated.png", "image/png"),
        ("not-a-picture.png", "text/html"),
        ("program.jpg", "application/x-executable"),
    ],
)
def test_a_real_file_is_known_by_its_first_bytes(name: str, mime_type: str) -> None:
    assert sniff(media(name)[:HEAD_BYTES]) == mime_type


@pytest.mark.parametrize(
    ("form", "mime_type"),
    [
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
        ("ICO", "image/x-icon"),
        ("JPEG2000", "image/jp2"),
    ],
)
def test_a_drawn_picture_is_known(form: str, mime_type: str) -> None:
    assert sniff(picture(form)) == mime_type


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"),
    [
        ("wav", "pcm_alaw", "audio/wav"),
        ("ogg", "libopus", "audio/opus"),
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("mp2", "mp2", "audio/mpeg"),
        ("adts", "aac", "audio/aac"),
        ("ipod", "aac", "audio/m4a"),
        ("mp4", "aac", "video/mp4"),
        ("3gp", "aac", "video/3gpp"),
        ("webm", "libopus", "video/webm"),
        ("matroska", "libopus", "video/x-matroska"),
        ("mov", "aac", "video/quicktime"),
        ("au", "pcm_mulaw", "audio/basic"),
        ("caf", "pcm_s16le", "audio/x-caf"),
    ],
)
def test_a_sound_container_is_known(container: str, codec: str, mime_type: str) -> None:
    assert sniff(sound(container, codec)) == mime_type


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"),
    [
        ("mp4", "h264", "video/mp4"),
        ("mov", "h264", "video/quicktime"),
        ("3gp", "h263", "video/3gpp"),
        ("webm", "vp8", "video/webm"),
        ("matroska", "vp8", "video/x-matroska"),
        ("avi", "mpeg4", "video/avi"),
        ("flv", "flv1", "video/x-flv"),
        ("asf", "wmv2", "video/wmv"),
        ("mpeg", "mpeg1video", "video/mpeg"),
        ("mpeg1video", "mpeg1video", "video/mpeg"),
        ("mpegts", "mpeg2video", "video/mp2t"),
    ],
)
def test_a_video_container_is_known(container: str, codec: str, mime_type: str) -> None:
    assert sniff(video(container, codec)) == mime_type


@pytest.mark.parametrize(
    ("brands", "mime_type"),
    [
        ((b"heic",), "image/heic"),
        ((b"heim", b"mif1"), "image/heic"),
        ((b"hevc", b"msf1"), "image/heic"),
        ((b"mif1", b"heic", b"mif1"), "image/heic"),
        ((b"mif1", b"avif", b"miaf"), "image/avif"),
        ((b"avis", b"msf1"), "image/avif"),
        ((b"mif1",), "image/heif"),
        ((b"msf1", b"mif1"), "image/heif"),
        ((b"crx ", b"isom"), "image/x-canon-cr3"),
        ((b"M4A ", b"isom"), "audio/m4a"),
        ((b"M4B ",), "audio/m4a"),
        ((b"M4V ",), "video/mp4"),
        ((b"isom", b"qt  "), "video/mp4"),
        ((b"mif3", b"mif3"), "image/heif"),
        ((b"mif3", b"avif"), "image/avif"),
        ((b"jpeg", b"mif1"), "image/heif"),
        ((b"mif1", b"jpeg"), "image/heif"),
        ((b"avci", b"mif1"), "image/avci"),
        ((b"mif1", b"avci"), "image/avci"),
        ((b"j2ki", b"mif1"), "image/hej2k"),
        ((b"vvic", b"mif1"), "image/vvic"),
        ((b"evbi", b"mif1"), "image/evic"),
        ((b"zzzz", b"mif1", b"heic"), "image/heic"),
        ((b"zzzz", b"mif1"), "image/heif"),
        ((b"zzzz", b"iso6"), "video/mp4"),
        ((b"isom", b"mif1"), "video/mp4"),
        ((b"qt  ",), "video/quicktime"),
        ((b"3gp4",), "video/3gpp"),
        ((b"3g2a",), "video/3gpp"),
    ],
)
def test_the_major_brand_decides_the_type_of_an_iso_file(brands: tuple[bytes, ...], mime_type: str) -> None:
    assert sniff(ftyp(*brands)) == mime_type


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (box(b"moov", box(b"mvhd", bytes(100))), "video/quicktime"),
        (b"\0\0\0\x01mdat" + bytes(60), "video/quicktime"),
        (box(b"wide", b"") + box(b"mdat", bytes(60)), "video/quicktime"),
        (riff(b"WAVE", (b"ds64", bytes(28)), magic=b"RF64"), "audio/wav"),
        (riff(b"AIFC", (b"COMM", bytes(26)), magic=b"FORM", order="big"), "audio/aiff"),
        (b"ADIF" + bytes(range(32)), "audio/aac"),
        (b"\xff\xfb\x90\x64" + bytes(413) + b"\xff\xfb\x90\x64", "audio/mpeg"),
        (bytes(300) + (b"\xff\xfb\x90\x64" + bytes(413)) * 3, "audio/mpeg"),
        (bytes(65_536) + (b"\xff\xfb\x90\x64" + bytes(413)) * 3, "audio/mpeg"),
        (b"ID3\x04\0\0\0\0\x20\x04" + bytes(4100) + (b"\xff\xfb\x90\x64" + bytes(413)) * 3, "audio/mpeg"),
        (b"ID3\x04\0\0\0\0\x20\x04" + bytes(4100) + b"fLaC" + bytes(40), "audio/flac"),
        (b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"ID3\x03\0\0\0\0\0\x01\0fLaC" + bytes(40), "audio/flac"),
        (b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"\x0b\x77\x12\x34\x1e\x40\x43" + bytes(40), "audio/ac3"),
        (b"\x0b\x77\x12\x34\x1e\x40\x43" + bytes(40), "audio/ac3"),
        (b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"MPCK" + bytes(40), "audio/x-musepack"),
        (b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"fLaC" + bytes(40), "audio/flac"),
        (b"II+\0\x08\0\0\0" + bytes(16), "image/tiff"),
        (b"II*\0\x10\0\0\0CR\x02\0", "image/x-canon-cr2"),
        (b"\r\n %PDF-1.7\n", "application/pdf"),
        (b"\x1bjunk\xff" + bytes(900) + b"%PDF-1.4", "application/pdf"),
        (b"OggS\0\x02" + bytes(20) + b"\x01\x1e\x80theora" + bytes(20), "video/ogg"),
        (b"#!AMR\n\x3c\x91", "audio/amr"),
        (b"{\\rtf1\\ansi hello}", "text/rtf"),
        (b"<?xml version='1.0'?>\n<note/>", "text/xml"),
        (b"\xef\xbb\xbf<!-- a -- b --><!DOCTYPE html>\n", "text/html"),
        (b"<HTML lang=en>", "text/html"),
        (b"<?xml version='1.0'?>\n<!-- made -->\n<svg xmlns=''>", "image/svg+xml"),
        (b"<svg>", "image/svg+xml"),
        (b"MZ\x90\0\x03\0\0\0", "application/vnd.microsoft.portable-executable"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (zipped("a.txt"), "application/zip"),
        (
            zipped("[Content_Types].xml", "word/document.xml"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
def test_a_magic_number_is_known(head: bytes, mime_type: str) -> None:
    assert sniff(head) == mime_type


def tiff(*entries: tuple[int, int, int, int], order: str = "<", rest: bytes = b"") -> bytes:
    """A TIFF whose first directory has entries of tag, type, count and value, with bytes after the directory."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return magic + struct.pack(order + "IH", 8, len(entries)) + directory + bytes(4) + rest


def preview_of(maker: bytes, order: str = "<") -> bytes:
    """A TIFF of a camera: a preview with the raw photo in a sub-directory."""
    entries = ((254, 4, 1, 1), (256, 4, 1, 160), (257, 4, 1, 120), (271, 2, len(maker), 74), (330, 4, 1, 4000))
    return tiff(*entries, order=order, rest=maker)


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (tiff((256, 4, 1, 8), (257, 4, 1, 8), (50_706, 1, 4, 0x00000401)), "image/x-adobe-dng"),
        (tiff((256, 4, 1, 8), (50_706, 1, 4, 0x04010000), order=">"), "image/x-adobe-dng"),
        (preview_of(b"NIKON CORPORATION\0"), "image/x-nikon-nef"),
        (preview_of(b"NIKON CORPORATION\0", ">"), "image/x-nikon-nef"),
        (preview_of(b"SONY \0"), "image/x-sony-arw"),
        (preview_of(b"Unheard of\0"), "image/x-dcraw"),
        (tiff((259, 3, 1, 65_535), (271, 2, 7, 74), order="<", rest=bytes(36) + b"PENTAX\0"), "image/x-pentax-pef"),
        (tiff((262, 3, 1, 32_803)), "image/x-dcraw"),
        (b"II*\0\x10\0\0\0IIIITaeS" + bytes(40), "image/x-phaseone-iiq"),
        (b"IIU\0\x18\0\0\0" + bytes(40), "image/x-dcraw"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(40), "image/x-dcraw"),
        (tiff((254, 4, 1, 0), (256, 4, 1, 8), (330, 4, 1, 4000)), "image/tiff"),
        (tiff((254, 4, 1, 1), (256, 4, 1, 8)), "image/tiff"),
        (tiff((256, 4, 1, 8))[:12], "image/tiff"),
    ],
)
def test_a_raw_photo_in_a_tiff_wrapper_is_known_by_its_first_directory(head: bytes, mime_type: str) -> None:
    assert sniff(head) == mime_type


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_photo_cut_anywhere_in_its_directory_is_still_a_tiff(order: str) -> None:
    whole = preview_of(b"NIKON CORPORATION\0", order)

    for length in range(8, len(whole)):
        assert sniff(whole[:length]) in {"image/tiff", "image/x-nikon-nef", "image/x-dcraw"}, length


@pytest.mark.parametrize("at", [1 << 20, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize(("mark", "order"), [(b"II", "<"), (b"MM", ">")])
def test_a_big_tiff_with_its_directory_out_of_reach_is_a_tiff(mark: bytes, order: str, at: int) -> None:
    head = mark + struct.pack(order + "HHHQ", 43, 8, 0, at) + bytes(40)

    assert sniff(head) == "image/tiff"
    assert read_facts(head, "image/tiff", is_whole=True) == NO_FACTS


SOUND, FILM = "f8699e40-5b4d-11cf-a8fd-00805f5c442b", "bc19efc0-5b4d-11cf-a8fd-00805f5c442b"


def asf(*streams: str, header_bytes: int = 2000) -> bytes:
    """The header of a Windows Media file with streams of the given types."""
    properties = uuid.UUID("b7dc0791-a9b7-11cf-8ee6-00c00c205365").bytes_le
    objects = b"".join(properties + struct.pack("<Q", 78) + uuid.UUID(kind).bytes_le + bytes(38) for kind in streams)
    magic = uuid.UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
    return (magic + struct.pack("<QIBB", header_bytes, len(streams), 1, 2) + objects).ljust(2000, b"\0")


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (asf(SOUND), "audio/x-ms-wma"),
        (asf(SOUND, FILM), "video/wmv"),
        (asf(FILM), "video/wmv"),
        (asf(), "video/wmv"),
        (asf(SOUND, header_bytes=100_000), "video/wmv"),
    ],
)
def test_windows_media_without_pictures_is_sound(head: bytes, mime_type: str) -> None:
    assert sniff(head) == mime_type


def test_a_real_windows_media_sound_is_sound() -> None:
    assert sniff(sound("asf", "libmp3lame")) == "audio/x-ms-wma"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"BM is a prefix that prose may have",
        b"MZ too, whatever follows it here",
        b"GIF89a is a format of pictures.",
        b"ADIF files of radio amateurs",
        b"fLaC and OggS are magic numbers",
        b"1234mdat5678 is not a box",
        b"ID3 tags hold titles",
        b"ID3\x04\0\0\0\0\x10\0" + bytes(20),
        b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"no frame of sound" * 9,
        b"A PDF begins with\n%PDF-1.7\n and is not this: \xc3\xa9",
        b"G" * 2000,
        "\ufeffAB and more".encode("utf-16-le"),
        b"\xff\xff\xff\xff" * 400,
        b"\xff\xfb\x90\x64" + bytes(2000),
        b"\0\0\x01\0\x01\0\x02\0" * 8,
        b"RIFF\0\0\0\0CDXA",
    ],
)
def test_text_that_resembles_a_magic_number_is_text(head: bytes) -> None:
    assert sniff(head) is None


def test_a_long_comment_before_markup_is_read_in_linear_time() -> None:
    head = b"<!--" + b"-" * 2000 + b"<!-- -" * 300

    assert sniff(head) is None


def test_only_the_head_is_looked_at() -> None:
    assert sniff(struct.pack("<4096x") + b"%PDF-1.7") is None
    assert sniff(bytes(65_537) + (b"\xff\xfb\x90\x64" + bytes(413)) * 3) is None
