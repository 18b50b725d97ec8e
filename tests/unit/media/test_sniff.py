import gzip
import io
import struct
import zipfile

import pytest

from app.media.sniff import HEAD_BYTES, sniff
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
        (b"ID3\x04\0\0\0\0\x10\0" + bytes(20), "audio/mpeg"),
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
    late = struct.pack("<4096x") + b"%PDF-1.7"

    assert sniff(late) is None
